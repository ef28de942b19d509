//! The documents: what they show is what the program does, what they list is what there is.

mod commands;
mod console;
mod jobs;
mod links;
mod pages;
mod recipes;
