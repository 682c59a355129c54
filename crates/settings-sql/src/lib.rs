//! The store, once, generic over the SQL driver.
