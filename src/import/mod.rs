//! Floor 2: what people measured with the tools themselves, as samples. Pure: text in, samples out; `docs/formats.md` lists the
//! formats.
//!
//! A reader takes the text of one file and gives its [`Reading`]s, each with the line that it was read from; [`Import`] gathers
//! the readings of several files into sweeps. A file that cannot be understood gives an error that names the line, and nothing
//! of it is taken.

mod error;
mod gather;
mod map;
mod reading;
mod tool;

pub use error::ImportError;
pub use gather::{Import, Origin};
pub use map::{Map, MapError};
pub use reading::{Reading, Round};
pub use tool::Tool;
