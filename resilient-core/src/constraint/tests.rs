//! Rules found for violations, and the words made of them.

mod many;
mod matching;
mod words;
