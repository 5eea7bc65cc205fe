//! SMPP octets by hand (SMPP 3.4, section 4), right ones and wrong ones.

pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
pub(crate) const BIND_RECEIVER: u32 = 0x01;
pub(crate) const BIND_TRANSMITTER: u32 = 0x02;
pub(crate) const QUERY_SM: u32 = 0x03;
pub(crate) const SUBMIT_SM: u32 = 0x04;
pub(crate) const DELIVER_SM: u32 = 0x05;
pub(crate) const UNBIND: u32 = 0x06;
pub(crate) const REPLACE_SM: u32 = 0x07;
pub(crate) const CANCEL_SM: u32 = 0x08;
pub(crate) const BIND_TRANSCEIVER: u32 = 0x09;
pub(crate) const OUTBIND: u32 = 0x0B;
pub(crate) const ENQUIRE_LINK: u32 = 0x15;
pub(crate) const SUBMIT_MULTI: u32 = 0x21;
pub(crate) const ALERT_NOTIFICATION: u32 = 0x102;
pub(crate) const DATA_SM: u32 = 0x103;
/// Set in the command_id of every response.
pub(crate) const RESP: u32 = 0x8000_0000;

pub(crate) const HEADER: usize = 16;

/// A PDU taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pdu {
    pub(crate) id: u32,
    pub(crate) status: u32,
    pub(crate) sequence: u32,
    pub(crate) body: Vec<u8>,
}

impl Pdu {
    /// Takes the first whole PDU off `buffer`.
    pub(crate) fn split(buffer: &mut Vec<u8>) -> Option<Self> {
        if buffer.len() < HEADER {
            return None;
        }
        let word = |at: usize| u32::from_be_bytes(buffer[at..at + 4].try_into().unwrap());
        let (length, id, status, sequence) = (word(0) as usize, word(4), word(8), word(12));
        assert!((HEADER..=1 << 20).contains(&length), "the node sent command_length {length}");
        if buffer.len() < length {
            return None;
        }
        let body = buffer[HEADER..length].to_vec();
        buffer.drain(..length);
        Some(Self { id, status, sequence, body })
    }

    /// The C-octet string at the front of the body: message_id or system_id.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(self.body.split(|&octet| octet == 0).next().unwrap_or_default()).into_owned()
    }
}

/// A PDU with a right command_length and command_status 0.
pub(crate) fn pdu(id: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    raw(HEADER + body.len(), [id, 0, sequence], body)
}

/// A response.
pub(crate) fn response(to: &Pdu, status: u32, body: &[u8]) -> Vec<u8> {
    raw(HEADER + body.len(), [to.id | RESP, status, to.sequence], body)
}

/// Any octets: the length is what the header claims, `header` is id, status and sequence_number.
pub(crate) fn raw(length: usize, header: [u32; 3], body: &[u8]) -> Vec<u8> {
    let mut octets = u32::try_from(length).unwrap().to_be_bytes().to_vec();
    header.iter().for_each(|word| octets.extend(word.to_be_bytes()));
    octets.extend(body);
    octets
}

/// A bind request (4.1).
#[derive(Clone, Debug)]
pub(crate) struct Bind {
    pub(crate) id: u32,
    pub(crate) system_id: Vec<u8>,
    pub(crate) password: Vec<u8>,
    pub(crate) system_type: Vec<u8>,
    pub(crate) interface_version: u8,
    pub(crate) address_range: Vec<u8>,
}

impl Bind {
    pub(crate) fn transceiver(system_id: &str, password: &str) -> Self {
        Self {
            id: BIND_TRANSCEIVER,
            system_id: system_id.into(),
            password: password.into(),
            system_type: Vec::new(),
            interface_version: 0x34,
            address_range: Vec::new(),
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = c_octets(&[&self.system_id, &self.password, &self.system_type]);
        body.extend([self.interface_version, 0, 0]);
        body.extend(c_octets(&[&self.address_range]));
        body
    }

    pub(crate) fn octets(&self, sequence: u32) -> Vec<u8> {
        pdu(self.id, sequence, &self.body())
    }

    pub(crate) fn read(pdu: &Pdu) -> Self {
        let mut reader = Reader(&pdu.body);
        let mut bind = Self::transceiver("", "");
        bind.id = pdu.id;
        bind.system_id = reader.c_octets();
        bind.password = reader.c_octets();
        bind.system_type = reader.c_octets();
        bind.interface_version = reader.octet();
        bind
    }
}

/// A submit_sm or deliver_sm (4.4.1, 4.6.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Sm {
    pub(crate) service_type: Vec<u8>,
    /// TON and NPI.
    pub(crate) source_kind: [u8; 2],
    pub(crate) source: Vec<u8>,
    /// TON and NPI.
    pub(crate) destination_kind: [u8; 2],
    pub(crate) destination: Vec<u8>,
    pub(crate) esm_class: u8,
    pub(crate) protocol_id: u8,
    pub(crate) priority: u8,
    pub(crate) schedule: Vec<u8>,
    pub(crate) validity: Vec<u8>,
    pub(crate) registered_delivery: u8,
    pub(crate) replace: u8,
    pub(crate) data_coding: u8,
    /// Written in place of the real length.
    pub(crate) sm_length: Option<u8>,
    pub(crate) text: Vec<u8>,
    pub(crate) tlvs: Vec<u8>,
}

impl Sm {
    /// A message with international numbers that asks for a receipt.
    pub(crate) fn new(destination: &str, text: &str) -> Self {
        Self {
            source_kind: [1, 1],
            source: b"15550001111".to_vec(),
            destination_kind: [1, 1],
            destination: destination.into(),
            registered_delivery: 1,
            text: text.into(),
            ..Self::default()
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = c_octets(&[&self.service_type]);
        body.extend(self.source_kind);
        body.extend(c_octets(&[&self.source]));
        body.extend(self.destination_kind);
        body.extend(c_octets(&[&self.destination]));
        body.extend([self.esm_class, self.protocol_id, self.priority]);
        body.extend(c_octets(&[&self.schedule, &self.validity]));
        body.extend([self.registered_delivery, self.replace, self.data_coding, 0]);
        body.push(self.sm_length.unwrap_or_else(|| u8::try_from(self.text.len()).unwrap_or(u8::MAX)));
        body.extend(&self.text);
        body.extend(&self.tlvs);
        body
    }

    pub(crate) fn submit(&self, sequence: u32) -> Vec<u8> {
        pdu(SUBMIT_SM, sequence, &self.body())
    }

    pub(crate) fn read(pdu: &Pdu) -> Self {
        let mut reader = Reader(&pdu.body);
        let mut sm = Self { service_type: reader.c_octets(), ..Self::default() };
        sm.source_kind = [reader.octet(), reader.octet()];
        sm.source = reader.c_octets();
        sm.destination_kind = [reader.octet(), reader.octet()];
        sm.destination = reader.c_octets();
        sm.esm_class = reader.octet();
        sm.protocol_id = reader.octet();
        sm.priority = reader.octet();
        sm.schedule = reader.c_octets();
        sm.validity = reader.c_octets();
        sm.registered_delivery = reader.octet();
        sm.replace = reader.octet();
        sm.data_coding = reader.octet();
        reader.octet();
        let length = usize::from(reader.octet());
        sm.text = reader.take(length);
        sm.tlvs = reader.0.to_vec();
        sm
    }

    /// short_message, or the message_payload TLV in its place, as text with every octet a character.
    pub(crate) fn words(&self) -> String {
        let payload = self.tlv(0x0424);
        let octets = if self.text.is_empty() { payload.unwrap_or_default() } else { self.text.clone() };
        octets.into_iter().map(char::from).collect()
    }

    /// The value of the first TLV with this tag.
    pub(crate) fn tlv(&self, tag: u16) -> Option<Vec<u8>> {
        let mut reader = Reader(&self.tlvs);
        while reader.0.len() >= 4 {
            let (found, length) = (reader.u16(), reader.u16());
            let value = reader.take(usize::from(length));
            if found == tag {
                return Some(value);
            }
        }
        None
    }

    /// message id and state of a receipt (Appendix B); `None` for any other message.
    pub(crate) fn receipt(&self) -> Option<(String, String)> {
        if self.esm_class & 0b11_1100 != 0b100 {
            return None;
        }
        let words = self.words();
        let value = |key: &str| {
            let rest = words.split_once(key)?.1;
            Some(rest.split(' ').next().unwrap_or_default().to_owned())
        };
        Some((value("id:")?, value("stat:")?))
    }
}

/// A TLV whose length field may lie.
pub(crate) fn tlv(tag: u16, length: u16, value: &[u8]) -> Vec<u8> {
    [&tag.to_be_bytes()[..], &length.to_be_bytes(), value].concat()
}

pub(crate) fn c_octets(values: &[&[u8]]) -> Vec<u8> {
    values.iter().flat_map(|value| value.iter().copied().chain([0])).collect()
}

/// Reads what the node wrote; anything short is a failure of the test.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn octet(&mut self) -> u8 {
        self.take(1)[0]
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn take(&mut self, octets: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(octets);
        self.0 = rest;
        taken.to_vec()
    }

    fn c_octets(&mut self) -> Vec<u8> {
        let length = self.0.iter().position(|&octet| octet == 0).expect("a C-octet string ends with NUL");
        let value = self.take(length);
        self.octet();
        value
    }
}
