mod across;
mod brute;
mod generate;
mod levels;
mod sizes;
mod stories;
