//! Two hexadecimal digits, as they follow a percent sign.

/// The byte that two digits name.
pub(crate) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}
