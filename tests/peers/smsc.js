// A vendor on npm's smpp: accepts every bind and message, sends a receipt 50 ms later, and says what happens as
// one JSON object a line.
'use strict';
const smpp = require('smpp');

let messages = 0;

const server = smpp.createServer((session) => {
  session.on('error', () => {});
  for (const bind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(bind, (pdu) => {
      session.send(pdu.response({ system_id: 'npm' }));
      say(bind, { system_id: pdu.system_id, password: pdu.password });
    });
  }
  session.on('submit_sm', (pdu) => {
    messages += 1;
    const id = `npm-${messages}`;
    session.send(pdu.response({ message_id: id }));
    say('submit_sm', { text: pdu.short_message.message, data_coding: pdu.data_coding });
    if (pdu.registered_delivery & 1) setTimeout(() => receipt(session, pdu, id), 50);
  });
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
    say('unbind', {});
  });
});
server.listen(0, '127.0.0.1', () => say('listening', { port: server.address().port }));

function receipt(session, submit, id) {
  const text = `id:${id} sub:001 dlvrd:001 submit date:2601010000 done date:2601010001 stat:DELIVRD err:000 text:`;
  session.deliver_sm({
    esm_class: 4,
    source_addr_ton: 1, source_addr_npi: 1, source_addr: submit.destination_addr,
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: submit.source_addr,
    short_message: text,
    receipted_message_id: id,
    message_state: 2,
  });
}

function say(event, more) {
  process.stdout.write(JSON.stringify({ event, ...more }) + '\n');
}
