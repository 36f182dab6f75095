//! The receiver from outside: real clients on real ports, a scripted pipeline behind.

mod grpc;
mod hostile;
mod http;
mod lifecycle;
mod support;
