//! JSON routers of both dialects, problems, OpenAPI.
