//! The matcher `embedding`: names compared by what their words mean.
//!
//! A sentence transformer of BERT's type, read from a directory that the operator names, turns the
//! words of a name into a vector; the cosine of two vectors says how near their meanings are. So
//! `invoices.csv` can be a variation of `orders.csv`, which no edit distance finds.
//!
//! [`Embedding`] asks the structural matcher first, and the model only where that does not decide
//! and where meaning is in words; `names` says where that is. Nothing is downloaded, and no
//! weights come with the product.
//!
//! The same input gives the same output whatever the number of threads: a vector depends on its
//! text alone, and the work is bounded by counts ([`PIECES_MAX`], [`Options::siblings`]), never by
//! a clock. Time is measured, but only for [`Watch`]. Between processors of different kinds the
//! last bits of a vector differ, because their instructions add in another order.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bert;
mod encoder;
mod error;
mod files;
mod matcher;
mod names;
mod shape;
mod vocabulary;

pub use encoder::{EncodeError, Encoder, PIECES_MAX};
pub use error::{LoadError, Problem};
pub use matcher::{CACHED, Embedding, Options, Unwatched, Watch};
