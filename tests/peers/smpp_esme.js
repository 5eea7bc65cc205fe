// A customer on npm's smpp: submits the TEXTS, waits for every receipt, reports in JSON.
// usage: smpp_esme.js PORT
'use strict';
const smpp = require('smpp');

const ids = [];
const receipts = {};
let submitted = 0;

const session = smpp.connect({ host: '127.0.0.1', port: Number(process.argv[2]) });
session.on('error', (error) => fail(error.message));
session.on('connect', () => {
  session.bind_transceiver({ system_id: 'acme', password: 'secret12' }, (answer) => {
    if (answer.command_status !== 0) fail(`bind: ${answer.command_status}`);
    JSON.parse(process.env.TEXTS).flatMap(messages).forEach(submit);
  });
});
session.on('deliver_sm', (pdu) => {
  session.send(pdu.response());
  const text = pdu.short_message.message;
  receipts[/id:(\S+)/.exec(text)[1]] = /stat:(\S+)/.exec(text)[1];
  finish();
});
session.on('enquire_link', (pdu) => session.send(pdu.response()));
setTimeout(() => fail('not finished in time'), 30000);

// The parts of a text that does not fit; this library leaves splitting to its user.
function messages(text) {
  if (text.length <= 160) {
    const ascii = [...text].every((character) => smpp.encodings.ASCII.match(character));
    return [{ short_message: text, data_coding: ascii ? 0 : 8 }];
  }
  const parts = text.match(/.{1,153}/g);
  return parts.map((part, at) => ({
    esm_class: 0x40,
    data_coding: 0,
    short_message: { udh: Buffer.from([5, 0, 3, 42, parts.length, at + 1]), message: part },
  }));
}

function submit(message) {
  submitted += 1;
  const numbers = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: '15550001111',
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: '15551234567',
  };
  session.submit_sm({ ...numbers, ...message, registered_delivery: 1 }, (answer) => {
    if (answer.command_status !== 0) fail(`submit_sm: ${answer.command_status}`);
    ids.push(answer.message_id);
    finish();
  });
}

function finish() {
  if (ids.length < submitted || ids.some((id) => !(id in receipts))) return;
  console.log(JSON.stringify({ submitted, ids, receipts }));
  session.unbind(() => process.exit(0));
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
