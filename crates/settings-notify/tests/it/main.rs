//! The senders from outside: a real SMTP server and a real disk.
mod letters;
mod mailbox;
mod silence;
mod smtp;
mod support;
mod tls;
