"""Says which event it had."""


def handler(event: dict[str, object], _context: object) -> None:
    print(f"ran for {event['invocationId']}")
