//! A file that is not whole is never taken for one that is.

use super::*;

fn frames() -> Vec<Frame> {
    let record = |byte, result: Option<&'static [u8]>| Frame::Record {
        id: RecordId([byte; 16]),
        row: Bytes::from(vec![byte; 40]),
        result: result.map(Bytes::from_static),
    };
    vec![
        Frame::Ledger { at: Timestamp::from_ms(7), identity: Bytes::from_static(b"identity") },
        record(1, Some(b"result")),
        record(2, None),
        record(3, Some(b"")),
        Frame::Audit(Bytes::from_static(b"entry")),
    ]
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = Writer::begin(&mut file).unwrap();
    for frame in frames {
        writer.frame(frame).unwrap();
    }
    writer.end().unwrap();
    file
}

fn read_all(mut file: &[u8]) -> Result<Vec<Frame>, Error> {
    let mut reader = Reader::begin(&mut file)?;
    let mut frames = Vec::new();
    loop {
        match reader.frame()? {
            Frame::End(_) => return Ok(frames),
            frame => frames.push(frame),
        }
    }
}

#[test]
fn what_was_written_is_read() {
    assert_eq!(read_all(&written(&frames())).unwrap(), frames());
    let mut file = Vec::new();
    let mut writer = Writer::begin(&mut file).unwrap();
    frames().iter().for_each(|frame| writer.frame(frame).unwrap());
    assert_eq!(writer.end().unwrap(), Counts { records: 3, results: 2, audit: 1 });
}

#[test]
fn a_file_that_is_cut_anywhere_is_noticed() {
    let file = written(&frames());
    for end in 0..file.len() {
        assert_eq!(read_all(&file[..end]).unwrap_err().kind(), ErrorKind::File, "cut at {end}");
    }
}

#[test]
fn a_file_in_which_any_bit_is_another_one_is_noticed() {
    let file = written(&frames());
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert_eq!(read_all(&changed).unwrap_err().kind(), ErrorKind::File, "changed at {at}");
    }
}

#[test]
fn a_file_without_one_of_its_frames_or_with_one_twice_is_noticed() {
    let file = written(&frames());
    let frame = |number: usize| {
        let mut rest = &file[..];
        let mut reader = Reader::begin(&mut rest).unwrap();
        for _ in 0..number {
            reader.frame().unwrap();
        }
        usize::try_from(reader.bytes()).unwrap()
    };
    let (from, to) = (frame(1), frame(2));
    let without = [&file[..from], &file[to..]].concat();
    let twice = [&file[..to], &file[from..]].concat();
    for file in [without, twice] {
        assert_eq!(read_all(&file).unwrap_err().kind(), ErrorKind::File);
    }
}
