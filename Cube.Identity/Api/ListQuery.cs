using System.Text.Json;

namespace Cube.Identity.Api;

/// <summary>The part of a list query that lists of users and of domains share, with its defaults.</summary>
/// <param name="Paging">Offset and limit.</param>
/// <param name="Status">The status to filter by, <c>enabled</c> by default. <c>all</c> does not filter.</param>
/// <param name="Order">The column to sort by, <c>updated_at</c> by default. It becomes SQL text, so it must be one of the columns given to <see cref="Validate"/>.</param>
/// <param name="Direction"><c>asc</c> or <c>desc</c> (default). It becomes SQL text.</param>
/// <param name="Metadata">A JSON object that the metadata must contain.</param>
internal sealed record ListQuery(Paging Paging, string Status, string Order, string Direction, string? Metadata)
{
    public static ListQuery From(int? offset, int? limit, string? status, string? order, string? direction, string? metadata) =>
        new(new Paging(offset, limit), status ?? "enabled", order ?? "updated_at", direction ?? "desc", metadata);

    /// <returns>A message for the client, or null when the query is valid.</returns>
    public string? Validate(string[] statuses, string[] orders) =>
        Paging.Error
        ?? (statuses.Contains(Status) ? null : $"status must be one of {string.Join(", ", statuses)}.")
        ?? (orders.Contains(Order) ? null : $"order must be one of {string.Join(", ", orders)}.")
        ?? (Direction is "asc" or "desc" ? null : "dir must be asc or desc.")
        ?? ValidateMetadata();

    private string? ValidateMetadata()
    {
        try
        {
            return Metadata is null || JsonElement.Parse(Metadata).ValueKind == JsonValueKind.Object ? null : "metadata must be a JSON object.";
        }
        catch (JsonException)
        {
            return "metadata must be a JSON object.";
        }
    }
}
