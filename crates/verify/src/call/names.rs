//! What stands in the commands of a sequence as variables of the shell, and the lines that set them.
//!
//! Invariant: text from outside stands in quotes, in which a shell reads nothing; a variable holds only what the line that
//! sets it makes, and stands in double quotes.

use bytes::Bytes;

use super::{Minted, Request};

/// Variables in place of values. Without any, a command has the values themselves.
#[derive(Clone, Debug, Default)]
pub struct Names {
    fresh: Vec<Fresh>,
    bodies: Vec<(Bytes, String)>,
}

/// A value that is another each time.
#[derive(Clone, Debug)]
struct Fresh {
    value: String,
    name: String,
    made: String,
}

/// Largest body that stands in the command itself.
const INLINE: usize = 4096;
/// So many of the same byte are made, not written.
const RUN: usize = 128;

const UUID: &str = "cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen | tr A-F a-f";
const TOKEN: &str = r"od -An -N6 -tx1 /dev/urandom | tr -d ' \n'";
const NUMBER: &str = r"od -An -N4 -tu4 /dev/urandom | tr -d ' \n'";

impl Names {
    /// For all that was made for these requests.
    pub(crate) fn of<'a>(requests: impl IntoIterator<Item = &'a Request>) -> Self {
        let mut names = Self::default();
        for request in requests {
            for minted in request.minted.iter().filter(|minted| minted.is_in(request)) {
                names.learn(minted);
            }
            let is_known = names.body(&request.body).is_some();
            if !is_known && !is_inline(&request.body) {
                let name = format!("BODY_{}", names.bodies.len() + 1);
                names.bodies.push((request.body.clone(), name));
            }
        }
        names
    }

    fn learn(&mut self, minted: &Minted) {
        let value = minted.value();
        if self.fresh.iter().any(|fresh| fresh.value == value) {
            return;
        }
        let (kind, made) = match minted {
            Minted::Key(_) => ("KEY", UUID),
            Minted::Uuid(_) => ("UUID", UUID),
            Minted::Token(_) => ("FRESH", TOKEN),
            Minted::Number(_) => ("NUMBER", NUMBER),
        };
        // The same but for the case of its letters stays the same but for that.
        let twin = self.fresh.iter().find(|fresh| fresh.value.eq_ignore_ascii_case(value));
        let made = match twin {
            Some(twin) if value.contains(|c: char| c.is_ascii_uppercase()) => {
                format!("printf '%s' \"${}\" | tr a-z A-Z", twin.name)
            }
            Some(twin) => format!("printf '%s' \"${}\" | tr A-Z a-z", twin.name),
            None => made.to_owned(),
        };
        let name = format!("{kind}_{}", self.fresh.iter().filter(|f| f.name.starts_with(kind)).count() + 1);
        self.fresh.push(Fresh { value: value.to_owned(), name, made });
    }

    /// The lines that set them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let fresh = self.fresh.iter().map(|Fresh { name, made, .. }| format!("{name}=\"$({made})\""));
        let bodies = self.bodies.iter().map(|(body, name)| {
            let parts = self.parts_of(body).join("; ");
            format!("{name}=\"$(mktemp)\"; {{ {parts}; }} > \"${name}\"")
        });
        fresh.chain(bodies).collect()
    }

    /// The option of `curl` by which a body goes out.
    pub(super) fn data(&self, body: &Bytes) -> String {
        match self.body(body) {
            Some(name) => format!("--data-binary @\"${name}\""),
            None if is_inline(body) => format!("--data-raw {}", self.quoted(body)),
            // Named by its length, so that a reader can make one like it.
            None => format!("--data-binary @body-of-{}-bytes", body.len()),
        }
    }

    /// One word for the shell, whatever is in it.
    pub(super) fn quoted(&self, text: &[u8]) -> String {
        let (mut word, mut literal) = (String::new(), Vec::new());
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            let known = self.fresh.iter().find(|fresh| rest.starts_with(fresh.value.as_bytes()));
            let Some(fresh) = known else {
                literal.push(*first);
                rest = after;
                continue;
            };
            if !literal.is_empty() {
                word.push_str(&quoted(&std::mem::take(&mut literal)));
            }
            word.push_str(&format!("\"${}\"", fresh.name));
            rest = rest.get(fresh.value.len()..).unwrap_or_default();
        }
        if !literal.is_empty() || word.is_empty() {
            word.push_str(&quoted(&literal));
        }
        word
    }

    fn body(&self, body: &Bytes) -> Option<&str> {
        self.bodies.iter().find(|(known, _)| known == body).map(|(_, name)| name.as_str())
    }

    /// Commands that write a body, piece by piece.
    fn parts_of(&self, body: &[u8]) -> Vec<String> {
        let (mut parts, mut plain) = (Vec::new(), Vec::new());
        for run in body.chunk_by(|one, other| one == other) {
            match run {
                [byte, ..] if run.len() >= RUN => {
                    self.write(&mut plain, &mut parts);
                    let length = run.len();
                    parts.push(format!("head -c {length} /dev/zero | tr '\\0' '\\{byte:03o}'"));
                }
                _ => plain.extend_from_slice(run),
            }
        }
        self.write(&mut plain, &mut parts);
        parts
    }

    fn write(&self, plain: &mut Vec<u8>, parts: &mut Vec<String>) {
        let plain = std::mem::take(plain);
        // No argument of a command can hold a NUL.
        for (at, piece) in plain.split(|byte| *byte == 0).enumerate() {
            if at > 0 {
                parts.push(r"printf '\000'".to_owned());
            }
            if !piece.is_empty() {
                parts.push(format!("printf '%s' {}", self.quoted(piece)));
            }
        }
    }
}

fn is_inline(body: &[u8]) -> bool {
    body.len() <= INLINE && !body.contains(&0)
}

/// In single quotes, as every shell takes them; what is not printable as an escape in `$'…'`, as `bash` takes it.
pub(crate) fn quoted(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) if !text.contains(is_unprintable) => format!("'{}'", text.replace('\'', r"'\''")),
        Ok(_) | Err(_) => {
            let escaped = text.iter().map(|byte| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            });
            format!("$'{}'", escaped.collect::<String>())
        }
    }
}

/// What a terminal would act on, and what turns the direction of a text: a report escapes it, and it would be another.
fn is_unprintable(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{feff}' | '\u{2066}'..='\u{2069}')
}
