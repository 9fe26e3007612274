namespace Cube.Inference.Json;

/// <summary>
/// The names of request members that the endpoint does not know, for the response header <c>x-cube-ignored</c>. The names come from the client. Therefore only names of up to 64 letters, digits, '_', '-'
/// and '.' are reported, and at most 16 of them.
/// </summary>
public sealed class IgnoredMembers
{
    public const int MaxNames = 16;
    private const int MaxLength = 64;

    private readonly List<string> _names = [];

    public void Add(string name) => Add("", name);

    /// <param name="path">The path of the containing object, made of known names only; empty for the request itself.</param>
    /// <param name="name">The name as the client wrote it.</param>
    public void Add(string path, string name)
    {
        if (_names.Count < MaxNames && name.Length is > 0 and <= MaxLength && name.All(static character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.'))
        {
            var full = path.Length == 0 ? name : $"{path}.{name}";
            if (!_names.Contains(full))
            {
                _names.Add(full);
            }
        }
    }

    /// <returns>The header's value; null if no member was ignored.</returns>
    public string? ToHeader() => _names.Count == 0 ? null : string.Join(", ", _names);
}
