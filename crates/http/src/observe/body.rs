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
    room: Reserved,
    limit: usize,
    told: Option<oneshot::Sender<Arrived>>,
}

impl BodyTap {
    pub(crate) fn new(limit: usize, room: Reserved) -> (Self, oneshot::Receiver<Arrived>) {
        let (told, arrived) = oneshot::channel();
        (Self { copied: BytesMut::new(), room, limit, told: Some(told) }, arrived)
    }

    /// A frame goes by.
    pub(crate) fn saw(&mut self, frame: &Frame<Bytes>) {
        let Some(data) = frame.data_ref().filter(|_| self.told.is_some()) else { return };
        if self.copied.len() + data.len() > self.limit {
            self.tell(Arrived::TooLarge);
        } else if !self.room.grow(data.len()) {
            self.tell(Arrived::NoRoom);
        } else {
            self.copied.extend_from_slice(data);
        }
    }

    /// That was all.
    pub(crate) fn ended(&mut self) {
        let copied = self.copied.split().freeze();
        self.tell(Arrived::Whole(copied));
    }

    /// There will be no more.
    pub(crate) fn broke(&mut self) {
        self.tell(Arrived::Broken);
    }

    fn tell(&mut self, arrived: Arrived) {
        self.copied = BytesMut::new();
        if let Some(told) = self.told.take() {
            // Whoever listened has gone with the process.
            let _ = told.send(arrived);
        }
    }
}
