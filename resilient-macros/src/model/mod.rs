//! The annotated item in our own words: what is called, with which arguments, how it returns.

mod argument;
mod block;
mod boxed;
mod method;
mod target;

pub(crate) use self::argument::{Argument, Passing, is_expect};
pub(crate) use self::block::Block;
pub(crate) use self::boxed::async_block_mut;
pub(crate) use self::method::{Form, Method, Place};
pub(crate) use self::target::{Target, take_attributes};
