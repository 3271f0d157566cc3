//! Two hexadecimal digits, as they follow a percent sign.

/// The byte that two digits name.
pub(crate) fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |byte| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// The bytes that a text stands for, and whether each of them was written with a percent sign. One that no digits follow
/// stands for itself.
pub(crate) fn decoded(text: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        let (&first, after) = rest.split_first()?;
        let escape = after.split_first_chunk().filter(|_| first == b'%');
        let escaped = escape.and_then(|(digits, after)| Some((byte(*digits)?, after)));
        rest = escaped.map_or(after, |(_, after)| after);
        Some(escaped.map_or((first, false), |(byte, _)| (byte, true)))
    })
}
