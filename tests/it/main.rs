//! Everything that is tested from outside, in one binary.

mod acceptance;
mod acceptance_elastic;
mod acceptance_kafka;
mod aggregations;
mod bounds;
mod clients;
mod commands;
mod dashboards;
mod elastic_clients;
mod export;
mod hostile;
mod inspect;
mod layering;
mod library;
mod memory;
mod replay;
mod server;
mod sources;
mod tidy;
mod transactions;
mod writes;
