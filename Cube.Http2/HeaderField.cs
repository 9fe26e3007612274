namespace Cube.Http2;

/// <param name="Name">The name in lower case; a pseudo-header begins with a colon.</param>
/// <param name="Value">The value.</param>
public readonly record struct HeaderField(string Name, string Value);
