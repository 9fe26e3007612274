using System.Text.Json;
using System.Text.Json.Serialization;
using Cube.Attestation.Parsing;
using Cube.Proxy.Attestation.Collateral;

namespace Cube.Proxy.Management;

/// <summary>Exports and imports the vendors' collateral, for a Cube that cannot reach the vendors. The format of both is the same.</summary>
internal sealed partial class CollateralImporter(CollateralProvider store, ILogger<CollateralImporter> logger)
{
    private const int MaxBody = 8 << 20;
    private const int MaxDocuments = 1000;

    private static readonly JsonSerializerOptions _format = new(JsonSerializerDefaults.Strict) { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <param name="Content">The document's bytes, base64.</param>
    /// <param name="FetchedAt">Exported only. An import sets it to the current time.</param>
    /// <param name="NextUpdate">Exported only. An import reads it from the content.</param>
    internal sealed record DocumentView(string Name, byte[] Content, DateTimeOffset? FetchedAt = null, DateTimeOffset? NextUpdate = null);

    internal sealed record CollateralView(IReadOnlyList<DocumentView> Collateral);

    public ApiResult List() => ApiResult.Ok(new CollateralView([.. store.List().Select(static document => new DocumentView(document.Name, document.Content, document.FetchedAt, document.NextUpdate))]));

    /// <param name="user">Id of the administrator, for the log.</param>
    public async Task<ApiResult> ImportAsync(HttpRequest request, string user)
    {
        if (await ApiBody.ReadAsync(request, MaxBody) is not { } body)
        {
            return ApiResult.BadRequest("The body is larger than 8 MiB.");
        }

        if (Read(body) is not { Collateral: { Count: > 0 and <= MaxDocuments } documents } || documents.Any(static document => document is not { Name.Length: > 0, Content.Length: > 0 }))
        {
            return ApiResult.BadRequest($"The body must be {{\"collateral\": [{{\"name\": string, \"content\": base64}}]}} with 1 to {MaxDocuments} documents.");
        }

        if (await store.ImportAsync([.. documents.Select(static document => (document.Name, document.Content))], request.HttpContext.RequestAborted) is var (name, error))
        {
            return ApiResult.BadRequest($"The proxy imported no document, because {(name.Length <= 300 ? name : "a document with a long name")} is not valid: {error}");
        }

        DocumentsImported(documents.Count, user);
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

    [LoggerMessage(Level = LogLevel.Information, Message = "User {User} imported {Documents} collateral documents.")]
    private partial void DocumentsImported(int documents, string user);
}
