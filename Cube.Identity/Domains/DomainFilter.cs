using Cube.Identity.Api;

namespace Cube.Identity.Domains;

/// <summary>The query parameters of a list of domains.</summary>
internal sealed record DomainQuery(
    int? Offset, int? Limit, string? Status, string? Name, string? Route, Guid? Id, string? RoleId, string? RoleName, string? Tags, string? Metadata,
    string? Actions, string? Order, string? Dir);

/// <param name="Order">A column that <see cref="Parse"/> allows. It becomes SQL text.</param>
/// <param name="Direction"><c>asc</c> or <c>desc</c>. It becomes SQL text.</param>
internal sealed record DomainFilter(int Offset, int Limit, string Status, string Order, string Direction)
{
    private static readonly string[] _orders = ["updated_at", "created_at", "name"];

    private static readonly string[] _statuses = ["enabled", "disabled", "freezed", "all"];

    public string? Name { get; private init; }
    public string? Route { get; private init; }
    public Guid? Id { get; private init; }
    public string? RoleId { get; private init; }
    public string? RoleName { get; private init; }
    public string[]? Tags { get; private init; }
    public string[]? AllTags { get; private init; }
    public string? Metadata { get; private init; }
    public string? Action { get; private init; }

    /// <returns>The filter, or a message for the client.</returns>
    public static (DomainFilter? Filter, string? Error) Parse(DomainQuery query)
    {
        var list = ListQuery.From(query.Offset, query.Limit, query.Status, query.Order, query.Dir, query.Metadata);
        if (list.Validate(_statuses, _orders) is { } error)
        {
            return (null, error);
        }

        var (any, all) = TagQuery.Parse(query.Tags);
        return (new DomainFilter(list.Paging.From, list.Paging.Count, list.Status, list.Order, list.Direction)
        {
            Name = query.Name,
            Route = query.Route,
            Id = query.Id,
            RoleId = query.RoleId,
            RoleName = query.RoleName,
            Tags = any,
            AllTags = all,
            Metadata = query.Metadata,
            Action = query.Actions,
        }, null);
    }
}
