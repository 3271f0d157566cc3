//! Reads what `strace -f -o` writes.
//!
//! A call that another thread interrupts stands on two lines, `NAME(… <unfinished ...>` and `<... NAME resumed>…`. The
//! kernel stops a thread at both ends of a call until strace has noted it, so a call began no later than its first
//! line says and had ended by its last.

use std::collections::HashMap;

/// One system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// From the opening parenthesis on, as far as they were known when the call began.
    pub(crate) arguments: String,
    /// The line on which it begins.
    pub(crate) begun: usize,
    /// The line on which it ends; `None` if the process ended before.
    pub(crate) ended: Option<usize>,
    /// What it returned; `None` if that is not known.
    pub(crate) result: Option<i64>,
}

impl Call {
    /// The file descriptor that comes first.
    pub(crate) fn descriptor(&self) -> Option<i64> {
        leading_number(&self.arguments)
    }

    /// The path of that descriptor, `3</path>`.
    pub(crate) fn path(&self) -> Option<&str> {
        let (_, rest) = self.arguments.split_once('<')?;
        rest.split_once('>').map(|(path, _)| path)
    }

    /// The number of the port in a socket address among the arguments.
    pub(crate) fn port(&self) -> Option<u16> {
        let (_, rest) = self.arguments.split_once("htons(")?;
        rest.split_once(')')?.0.parse().ok()
    }
}

/// All calls, in the order in which they began.
pub(crate) fn parse(text: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut unfinished: HashMap<&str, usize> = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let begun = unfinished.remove(thread).and_then(|index| calls.get_mut(index));
            let call = begun.unwrap_or_else(|| panic!("nothing to resume: {line}"));
            let (_, more) =
                resumed.split_once("resumed>").unwrap_or_else(|| panic!("not understood: {line}"));
            call.arguments.push_str(more);
            call.ended = Some(number);
            call.result = result(more);
        } else if let Some((name, arguments)) = rest.split_once('(').filter(|(name, _)| is_name(name)) {
            let whole = arguments.strip_suffix("<unfinished ...>");
            if whole.is_some() {
                unfinished.insert(thread, calls.len());
            }
            calls.push(Call {
                name: name.to_owned(),
                arguments: whole.unwrap_or(arguments).to_owned(),
                begun: number,
                ended: whole.is_none().then_some(number),
                result: result(arguments),
            });
        }
        // What is left are signals (`---`) and ends of threads (`+++`).
    }
    calls
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The number after the last `) = `; the data before it may hold anything.
fn result(text: &str) -> Option<i64> {
    let (_, result) = text.rsplit_once(") ")?;
    leading_number(result.trim_start().strip_prefix("= ")?)
}

fn leading_number(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '-')).unwrap_or(text.len());
    text.get(..digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = "\
        100 accept4(9<socket:[1]>, {sa_family=AF_INET, sin_port=htons(52934)}, [128 => 16], SOCK_CLOEXEC) = 15<socket:[2]>\n\
        101 fdatasync(14</tmp/ledger/data/0.jnl> <unfinished ...>\n\
        100 write(4<anon_inode:[eventfd]>, \"\\1\\0) = 7\", 8) = 8\n\
        101 <... fdatasync resumed>)            = 0 (DELAYED)\n\
        100 --- SIGCHLD {si_signo=SIGCHLD} ---\n\
        100 connect(18<socket:[3]>, {sin_port=htons(3999)}, 16) = -1 EINPROGRESS (Operation now in progress)\n\
        101 fdatasync(14</tmp/ledger/data/0.jnl> <unfinished ...>\n\
        101 +++ killed by SIGKILL +++\n";

    #[test]
    fn an_interrupted_call_ends_where_it_is_resumed() {
        let calls = parse(RECORD);
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["accept4", "fdatasync", "write", "connect", "fdatasync"]);
        let results: Vec<_> = calls.iter().map(|call| call.result).collect();
        assert_eq!(results, [Some(15), Some(0), Some(8), Some(-1), None]);
        let lines: Vec<_> = calls.iter().map(|call| (call.begun, call.ended)).collect();
        assert_eq!(lines, [(0, Some(0)), (1, Some(3)), (2, Some(2)), (5, Some(5)), (6, None)]);
    }

    #[test]
    fn descriptors_paths_and_ports_are_found() {
        let calls = parse(RECORD);
        assert_eq!((calls[0].descriptor(), calls[0].port()), (Some(9), Some(52934)));
        assert_eq!((calls[1].descriptor(), calls[1].path()), (Some(14), Some("/tmp/ledger/data/0.jnl")));
        assert_eq!((calls[3].descriptor(), calls[3].port()), (Some(18), Some(3999)));
    }
}
