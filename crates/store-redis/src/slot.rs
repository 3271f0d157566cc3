//! Redis Cluster's hash slots.

/// How many there are.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of whatever has this hash tag.
pub(crate) fn of_tag(tag: &[u8]) -> u16 {
    crc16(tag) % SLOTS
}

/// CRC-16/XMODEM, as the Cluster specification has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        let crc = crc ^ (u16::from(*byte) << 8);
        (0..8).fold(crc, |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first from the Cluster specification, the others from `CLUSTER KEYSLOT`.
    #[test]
    fn slots_are_those_of_the_servers() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        assert_eq!(of_tag(b"foo"), 12_182);
        assert_eq!(of_tag(b"onlyonce:5a"), 797);
    }
}
