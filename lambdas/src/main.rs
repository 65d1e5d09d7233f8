//! The functions of the AWS side, in one program.

fn main() {}
