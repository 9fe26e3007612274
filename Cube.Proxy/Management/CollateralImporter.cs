using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Attestation.Parsing;
using Cube.Proxy.Attestation.Collateral;
using Cube.Proxy.Management;

namespace Cube.Proxy.Management;

/// <summary>The vendors' documents by hand, for a Cube that reaches no vendor: what one Cube gives, another takes.</summary>
internal sealed partial class CollateralImporter(CollateralProvider store, ILogger<CollateralImporter> logger)
{
    private const int MaxBody = 8 << 20;
    private const int MaxDocuments = 1000;

    private static readonly JsonSerializerOptions _format = new(JsonSerializerDefaults.Strict) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <param name="Content">The document's bytes, base64.</param>
    /// <param name="FetchedAt">Told, and not taken: what is handed over counts from then on.</param>
    /// <param name="NextUpdate">Told, and not taken: the document says so itself.</param>
    internal sealed record DocumentView(string Name, byte[] Content, DateTimeOffset? FetchedAt = null, DateTimeOffset? NextUpdate = null);

    internal sealed record CollateralView(IReadOnlyList<DocumentView> Collateral);

    public ApiResult List() => ApiResult.Ok(new CollateralView([.. store.List().Select(static kept => new DocumentView(kept.Name, kept.Content, kept.FetchedAt, kept.NextUpdate))]));

    /// <param name="by">Who hands it over.</param>
    public async Task<ApiResult> ImportAsync(HttpRequest request, string by)
    {
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.Bad("The file is larger than 8 MiB.");
        }

        if (Read(body) is not { Collateral: { Count: > 0 and <= MaxDocuments } documents } || documents.Any(static document => document is not { Name.Length: > 0, Content.Length: > 0 }))
        {
            return ApiResult.Bad($"Give {{\"collateral\": [{{\"name\": text, \"content\": base64}}]}}, with 1 to {MaxDocuments} documents.");
        }

        if (await store.ImportAsync([.. documents.Select(static document => (document.Name, document.Content))], request.HttpContext.RequestAborted) is var (name, fault))
        {
            return ApiResult.Bad($"Nothing is taken, for {(name.Length <= 300 ? name : "a document with a long name")}: {fault}");
        }

        HandedOver(documents.Count, by);
        return List();
    }

    private static CollateralView? Read(byte[] body)
    {
        try
        {
            return JsonNulls.Find(body) is null ? JsonSerializer.Deserialize<CollateralView>(body, _format) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Documents} documents of vendors were handed over by {By}")]
    private partial void HandedOver(int documents, string by);
}
