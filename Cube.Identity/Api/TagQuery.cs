namespace Cube.Identity.Api;

/// <summary>The query parameter <c>tags</c>: <c>a,b</c> matches either tag, <c>a+b</c> both. Query decoding turns <c>+</c> into a space.</summary>
internal static class TagQuery
{
    public static (string[]? Any, string[]? All) Parse(string? tags) => tags switch
    {
        null or "" => (null, null),
        _ when tags.Contains(',', StringComparison.Ordinal) => (tags.Split(','), null),
        _ => (null, tags.Split('+', ' ')),
    };
}
