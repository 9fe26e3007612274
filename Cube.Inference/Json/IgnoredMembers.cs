namespace Cube.Inference.Json;

/// <summary>
/// The names of what a request has and its endpoint does not know, for <c>x-cube-ignored</c>. They come from a client, so they are few, short
/// and of characters that are safe in a header; what is not is left out.
/// </summary>
public sealed class IgnoredMembers
{
    public const int Most = 16;
    private const int MaxLength = 64;

    private readonly List<string> _names = [];

    public void Add(string name) => Add("", name);

    /// <param name="path">Where it stands, of known names alone; empty for the outermost object.</param>
    /// <param name="name">As the client wrote it.</param>
    public void Add(string path, string name)
    {
        if (_names.Count < Most && name.Length is > 0 and <= MaxLength && name.All(static character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.'))
        {
            var full = path.Length == 0 ? name : $"{path}.{name}";
            if (!_names.Contains(full))
            {
                _names.Add(full);
            }
        }
    }

    /// <returns>The header's value; null for none.</returns>
    public string? ToHeader() => _names.Count == 0 ? null : string.Join(", ", _names);
}
