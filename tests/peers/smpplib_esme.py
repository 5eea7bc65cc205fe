"""A customer on smpplib: submits the TEXTS, waits for every receipt, reports in JSON.

usage: smpplib_esme.py PORT [CA_FILE]   (with CA_FILE through TLS)
"""
import json
import os
import re
import ssl
import sys
import time

import smpplib.client
import smpplib.consts
import smpplib.gsm

ids, receipts, submitted = [], {}, 0


def on_deliver(pdu):
    text = (pdu.short_message or b"").decode("latin-1")
    receipts[re.search(r"id:(\S+)", text)[1]] = re.search(r"stat:(\S+)", text)[1]
    return smpplib.consts.SMPP_ESME_ROK


def parts_of(text):
    try:
        return smpplib.gsm.make_parts(text)
    except UnicodeEncodeError:
        # make_parts measures UCS2 text in characters; a surrogate pair counts twice.
        return smpplib.gsm.make_parts(text, smpplib.consts.SMPP_ENCODING_ISO10646)


port = int(sys.argv[1])
context = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None
if context:
    # smpplib wraps its socket without a server name; the certificate is checked against its CA all the same.
    context.check_hostname = False
client = smpplib.client.Client("localhost" if context else "127.0.0.1", port, timeout=5, ssl_context=context)
client.set_message_sent_handler(lambda pdu: ids.append(pdu.message_id.decode()))
client.set_message_received_handler(on_deliver)
client.connect()
client.bind_transceiver(system_id="acme", password="secret12")

for text in json.loads(os.environ["TEXTS"]):
    parts, data_coding, esm_class = parts_of(text)
    for part in parts:
        client.send_message(
            source_addr_ton=smpplib.consts.SMPP_TON_INTL,
            source_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            source_addr="15550001111",
            dest_addr_ton=smpplib.consts.SMPP_TON_INTL,
            dest_addr_npi=smpplib.consts.SMPP_NPI_ISDN,
            destination_addr="15551234567",
            short_message=part,
            data_coding=data_coding,
            esm_class=esm_class,
            registered_delivery=True,
        )
        submitted += 1

deadline = time.monotonic() + 30
while time.monotonic() < deadline and (len(ids) < submitted or set(ids) - set(receipts)):
    client.read_once()
client.unbind()
client.disconnect()
print(json.dumps({"submitted": submitted, "ids": ids, "receipts": receipts}))
