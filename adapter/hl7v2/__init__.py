"""Reading HL7 v2: bytes to messages, segments and groups. Knows no FHIR.

`framing` finds messages in a byte stream (`batch`: their envelopes), `charset` and `delimiters` make one canonical text of a
message, `message` splits it into segments and fields, `grouping` puts the segments of a result message into patients, orders and
results, `escapes` reads text.
"""
