//! A copy of a request's body as it goes by.

use bytes::{Bytes, BytesMut};
use http_body::Frame;
use tokio::sync::oneshot;

use crate::buffers::Reserved;

/// What became of a body.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// All of it went by.
    Whole(Bytes),
    /// It is larger than a keyed request's may be.
    TooLarge,
    /// It broke off.
    Broken,
    /// There is no room for a copy.
    NoRoom,
}

/// Copies what goes by, up to the route's limit; says once what became of it. Dropped before, it says nothing: the
/// request was given up, or answered before it had arrived.
#[derive(Debug)]
pub(crate) struct BodyTap {
    copied: BytesMut,
    /// The copy's, until that holds it itself.
    room: Option<Reserved>,
    limit: usize,
    told: Option<oneshot::Sender<Arrived>>,
}

impl BodyTap {
    pub(crate) fn new(limit: usize, room: Reserved) -> (Self, oneshot::Receiver<Arrived>) {
        let (told, arrived) = oneshot::channel();
        (Self { copied: BytesMut::new(), room: Some(room), limit, told: Some(told) }, arrived)
    }

    /// A frame goes by.
    pub(crate) fn saw(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref().filter(|_| self.told.is_some()) else { return };
        if self.copied.len() + data.len() > self.limit {
            self.tell(Arrived::TooLarge);
        } else if !self.room.as_mut().is_some_and(|room| room.grow(data.len())) {
            self.tell(Arrived::NoRoom);
        } else {
            self.copied.extend_from_slice(data);
        }
    }

    /// That was all.
    pub(crate) fn ended(&mut self) {
        if let Some(room) = self.room.take() {
            let copied = self.copied.split().freeze();
            self.tell(Arrived::Whole(room.hold(copied)));
        }
    }

    /// There will be no more.
    pub(crate) fn broke(&mut self) {
        self.tell(Arrived::Broken);
    }

    fn tell(&mut self, arrived: Arrived) {
        (self.copied, self.room) = (BytesMut::new(), None);
        if let Some(told) = self.told.take() {
            // Whoever listened has gone with the process.
            let _ = told.send(arrived);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::buffers::Buffers;

    /// The request is answered, and its tap gone, before anybody has looked at the copy.
    #[test]
    fn a_copy_has_its_room_until_nobody_holds_it() {
        let buffers = Arc::new(Buffers::new(10));
        let (mut tap, mut arrived) = BodyTap::new(10, buffers.reserve(None));
        tap.saw(&Frame::data(Bytes::from_static(b"body")));
        tap.ended();
        drop(tap);
        let Ok(Arrived::Whole(copy)) = arrived.try_recv() else { panic!("it arrived") };
        assert_eq!((&copy[..], buffers.used()), (&b"body"[..], 4));
        drop(copy);
        assert_eq!(buffers.used(), 0);
    }

    #[test]
    fn what_is_not_copied_to_its_end_has_no_room() {
        let buffers = Arc::new(Buffers::new(10));
        let (mut tap, mut arrived) = BodyTap::new(6, buffers.reserve(None));
        for _ in 0..3 {
            tap.saw(&Frame::data(Bytes::from_static(b"body")));
        }
        assert!(matches!(arrived.try_recv(), Ok(Arrived::TooLarge)));
        assert_eq!(buffers.used(), 0);
    }
}
