//! The tests that need the program itself, in one binary.

mod worker;
