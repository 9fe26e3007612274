using System.Text.Json;

namespace Cube.Identity.Domains;

/// <summary>The query of a list of domains.</summary>
internal sealed record DomainQuery(
    int? Offset, int? Limit, string? Status, string? Name, string? Route, Guid? Id, string? RoleId, string? RoleName, string? Tags, string? Metadata,
    string? Actions, string? Order, string? Dir);

/// <param name="Order">A column out of <see cref="Orders"/>: it goes into the query as text.</param>
internal sealed record DomainFilter(int Offset, int Limit, string Status, string Order, string Direction)
{
    public static readonly string[] Orders = ["updated_at", "created_at", "name"];

    public static readonly string[] Statuses = ["enabled", "disabled", "freezed", "all"];

    public string? Name { get; private init; }
    public string? Route { get; private init; }
    public Guid? Id { get; private init; }
    public string? RoleId { get; private init; }
    public string? RoleName { get; private init; }
    public string[]? Tags { get; private init; }
    public string[]? AllTags { get; private init; }
    public string? Metadata { get; private init; }
    public string? Action { get; private init; }

    /// <returns>The filter, or what is wrong with the query.</returns>
    public static (DomainFilter? Filter, string? Fault) Parse(DomainQuery query)
    {
        var paging = new Paging(query.Offset, query.Limit);
        var (status, order, direction) = (query.Status ?? "enabled", query.Order ?? "updated_at", query.Dir ?? "desc");
        var fault = paging.Fault
            ?? (Statuses.Contains(status) ? null : "status must be enabled, disabled, freezed or all.")
            ?? (Orders.Contains(order) ? null : "order must be updated_at, created_at or name.")
            ?? (direction is "asc" or "desc" ? null : "dir must be asc or desc.")
            ?? FaultOfMetadata(query.Metadata);
        if (fault is not null)
        {
            return (null, fault);
        }

        var (some, all) = TagQuery.Parse(query.Tags);
        return (new DomainFilter(paging.From, paging.Count, status, order, direction)
        {
            Name = query.Name,
            Route = query.Route,
            Id = query.Id,
            RoleId = query.RoleId,
            RoleName = query.RoleName,
            Tags = some,
            AllTags = all,
            Metadata = query.Metadata,
            Action = query.Actions,
        }, null);
    }

    public static string? FaultOfMetadata(string? metadata)
    {
        try
        {
            return metadata is null || JsonElement.Parse(metadata).ValueKind == JsonValueKind.Object ? null : "metadata must be a JSON object.";
        }
        catch (JsonException)
        {
            return "metadata must be a JSON object.";
        }
    }
}

/// <summary>Tags in a query: <c>a,b</c> for either, <c>a+b</c> for both. A plus sign of a query arrives as a blank.</summary>
internal static class TagQuery
{
    public static (string[]? Some, string[]? All) Parse(string? tags) => tags switch
    {
        null or "" => (null, null),
        _ when tags.Contains(',', StringComparison.Ordinal) => (tags.Split(','), null),
        _ => (null, tags.Split('+', ' ')),
    };
}
