//! The binary as its users meet it: started, fed, asked, killed.

mod bad_input;
mod metrics;
mod page;
mod restart;
mod rotation;
mod same;
mod service;
