using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Attestation.Parsing;

namespace Cube.Proxy.Configuration.Catalogs;

/// <summary>What is wrong with a catalog that somebody wants to save, in words for him.</summary>
internal sealed class CatalogException(string message) : Exception(message);

/// <summary><c>{"models":[{"id":"fast","model":"smollm2:135m"},{"id":"llama3:8b"}]}</c>; <c>model</c> is <c>id</c> where it is left out.</summary>
internal static partial class CatalogJson
{
    public const int MaxBytes = 128 << 10;
    public const int MaxEntries = 512;

    /// <summary>Of what is stored, where every entry has both names.</summary>
    public const int MaxStored = 512 << 10;

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <summary>What a client sends.</summary>
    internal sealed record CatalogRequest(IReadOnlyList<CatalogRequestEntry> Models);

    internal sealed record CatalogRequestEntry(string Id, string? Model = null);

    /// <exception cref="CatalogException">It cannot mean anything.</exception>
    public static IReadOnlyList<CatalogEntry> Parse(ReadOnlySpan<byte> utf8)
    {
        CatalogRequest request;
        try
        {
            request = JsonSerializer.Deserialize<CatalogRequest>(utf8, _options) ?? throw new CatalogException("The catalog is null.");
            if (JsonNulls.Find(utf8) is { } path)
            {
                throw new CatalogException($"The catalog has a null at {path}.");
            }
        }
        catch (JsonException exception)
        {
            throw new CatalogException($"The catalog cannot be read at {exception.Path ?? "its start"}: it is no JSON, or a field there is missing, unknown, twice, or of another kind.");
        }

        IReadOnlyList<CatalogEntry> entries = [.. request.Models.Select(static entry => new CatalogEntry(entry.Id, entry.Model ?? entry.Id))];
        Check(entries);
        ReadStored(Write(entries));
        return entries;
    }

    private static void Check(IReadOnlyList<CatalogEntry> entries)
    {
        Require(entries.Count <= MaxEntries, $"models: there can be {MaxEntries}.");
        foreach (var (entry, i) in entries.Select(static (entry, i) => (entry, i)))
        {
            Require(IsName(entry.Id), $"models[{i}].id: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
            Require(IsName(entry.Model), $"models[{i}].model: it has 1 to 256 letters, digits and '. _ - : / @', and begins with a letter or digit.");
        }

        Require(entries.DistinctBy(static entry => entry.Id).Count() == entries.Count, "models: an id stands twice.");
    }

    public static string Write(IReadOnlyList<CatalogEntry> entries) => JsonSerializer.Serialize(entries, _options);

    /// <param name="json">As it is stored; null where that is too long to be a catalog.</param>
    /// <exception cref="CatalogException">It is none.</exception>
    public static IReadOnlyList<CatalogEntry> ReadStored(string? json)
    {
        Require(json is not null && Encoding.UTF8.GetByteCount(json) <= MaxStored, $"The catalog is larger than {MaxStored >> 10} KiB.");
        try
        {
            var entries = JsonSerializer.Deserialize<IReadOnlyList<CatalogEntry?>>(json ?? "", _options) ?? throw new CatalogException("The catalog is null.");
            IReadOnlyList<CatalogEntry> stored = [.. entries.Select(static entry => entry ?? throw new CatalogException("The catalog has a null."))];
            Check(stored);
            return stored;
        }
        catch (JsonException)
        {
            throw new CatalogException("The catalog is not JSON of the kind that is stored.");
        }
    }

    private static bool IsName(string name) => name.Length is >= 1 and <= 256 && Name().IsMatch(name);

    private static void Require(bool isRight, string message)
    {
        if (!isRight)
        {
            throw new CatalogException(message);
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex Name();
}
