"""Talking to others: MLLP and HTTP senders of messages, FHIR servers."""
