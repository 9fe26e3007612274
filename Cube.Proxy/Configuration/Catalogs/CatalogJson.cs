using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Attestation.Parsing;

namespace Cube.Proxy.Configuration.Catalogs;

/// <summary>A catalog is not valid. The message describes the error for the client.</summary>
internal sealed class CatalogException(string message) : Exception(message);

/// <summary>Reads and writes catalogs, for example <c>{"models":[{"id":"fast","model":"smollm2:135m"},{"id":"llama3:8b"}]}</c>. The default of <c>model</c> is <c>id</c>.</summary>
internal static partial class CatalogJson
{
    /// <summary>Maximum size of a request body, in bytes.</summary>
    public const int MaxBytes = 128 << 10;
    public const int MaxEntries = 512;

    /// <summary>Maximum size of the stored JSON, in bytes. It exceeds <see cref="MaxBytes"/>, because each stored entry has both ids.</summary>
    public const int MaxStored = 512 << 10;

    private const string ModelIdRule = "must have 1 to 256 characters: letters, digits and '. _ - : / @'. It must begin with a letter or a digit.";

    private static readonly JsonSerializerOptions _options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = System.Text.Json.Serialization.JsonUnmappedMemberHandling.Disallow,
        AllowDuplicateProperties = false,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    internal sealed record CatalogRequest(IReadOnlyList<CatalogRequestEntry> Models);

    internal sealed record CatalogRequestEntry(string Id, string? Model = null);

    /// <exception cref="CatalogException">The request body is not a valid catalog.</exception>
    public static IReadOnlyList<CatalogEntry> Parse(ReadOnlySpan<byte> utf8)
    {
        CatalogRequest request;
        try
        {
            request = JsonSerializer.Deserialize<CatalogRequest>(utf8, _options) ?? throw new CatalogException("The catalog must not be null.");
            if (JsonNulls.Find(utf8) is { } path)
            {
                throw new CatalogException($"The catalog must not have null at {path}.");
            }
        }
        catch (JsonException exception)
        {
            throw new CatalogException(
                $"The catalog is not valid at {exception.Path ?? "its start"}: it must be JSON, and each field must be known, unique and of the correct type. Required fields must be present.");
        }

        IReadOnlyList<CatalogEntry> entries = [.. request.Models.Select(static entry => new CatalogEntry(entry.Id, entry.Model ?? entry.Id))];
        Validate(entries);
        ReadStored(Write(entries));
        return entries;
    }

    private static void Validate(IReadOnlyList<CatalogEntry> entries)
    {
        Require(entries.Count <= MaxEntries, $"models must have at most {MaxEntries} entries.");
        foreach (var (entry, i) in entries.Select(static (entry, i) => (entry, i)))
        {
            Require(IsModelId(entry.Id), $"models[{i}].id {ModelIdRule}");
            Require(IsModelId(entry.Model), $"models[{i}].model {ModelIdRule}");
        }

        Require(entries.DistinctBy(static entry => entry.Id).Count() == entries.Count, "models: ids must be unique.");
    }

    public static string Write(IReadOnlyList<CatalogEntry> entries) => JsonSerializer.Serialize(entries, _options);

    /// <param name="json">The stored JSON; null if it exceeds <see cref="MaxStored"/>.</param>
    /// <exception cref="CatalogException">The stored JSON is not a valid catalog.</exception>
    public static IReadOnlyList<CatalogEntry> ReadStored(string? json)
    {
        Require(json is not null && Encoding.UTF8.GetByteCount(json) <= MaxStored, $"The catalog is larger than {MaxStored >> 10} KiB.");
        try
        {
            var entries = JsonSerializer.Deserialize<IReadOnlyList<CatalogEntry?>>(json ?? "", _options) ?? throw new CatalogException("The catalog must not be null.");
            IReadOnlyList<CatalogEntry> stored = [.. entries.Select(static entry => entry ?? throw new CatalogException("The catalog must not have null entries."))];
            Validate(stored);
            return stored;
        }
        catch (JsonException)
        {
            throw new CatalogException("The stored catalog is not valid JSON for a catalog.");
        }
    }

    private static bool IsModelId(string id) => id.Length is >= 1 and <= 256 && ModelId().IsMatch(id);

    private static void Require(bool isValid, string message)
    {
        if (!isValid)
        {
            throw new CatalogException(message);
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z")]
    private static partial Regex ModelId();
}
