//! What the pages need to know of the store. Sweeps do not change once they are written, so each file is read once; of a
//! sweep two numbers a series are kept, its median and its toll, and the rounds are read again when somebody asks.

mod catalogue;
mod judged;
mod refresh;

pub(super) use catalogue::{Catalogue, Group, series_key};
pub(super) use judged::Judged;
pub(super) use refresh::Index;
