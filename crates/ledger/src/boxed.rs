//! A future in a box, made where it will lie.
//!
//! `Box::pin(future)` makes the future on the stack and then copies all of it, also what only its later states need: some
//! kilobytes for each step of a request. The compiler cannot leave the copy out, because allocating might unwind and the
//! future would have to be dropped where it is. Here the memory comes first, and only what the future begins with is written.

use std::pin::Pin;

/// What `make` gives, in a box. `make` should do nothing but call an `async fn` or name an `async` block.
#[inline(always)]
pub fn pinned<F>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::into_pin(Box::write(Box::new_uninit(), make()))
}
