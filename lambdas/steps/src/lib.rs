//! Comanda.
