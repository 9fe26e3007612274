using Cube.Identity.Domains;

namespace Cube.Identity.Users;

/// <summary>The query of a list of users.</summary>
internal sealed record UserQuery(
    int? Offset, int? Limit, string? Status, Guid? Id, string? Username, string? Email, string? FirstName, string? LastName, string? Tags, string? Metadata,
    string? Order, string? Dir);

/// <param name="Order">A column out of <see cref="Orders"/>: it goes into the query as text.</param>
internal sealed record UserFilter(int From, int Count, string Status, string Order, string Direction)
{
    public static readonly string[] Orders = ["updated_at", "created_at", "first_name", "last_name", "username", "email"];

    public Guid? Id { get; init; }
    public string? Username { get; init; }
    public string? Email { get; init; }
    public string? FirstName { get; init; }
    public string? LastName { get; init; }
    public string? Metadata { get; init; }
    public string[]? Tags { get; init; }
    public string[]? AllTags { get; init; }

    /// <returns>The filter, or what is wrong with the query.</returns>
    public static (UserFilter? Filter, string? Fault) Parse(UserQuery query)
    {
        var paging = new Paging(query.Offset, query.Limit);
        var (status, order, direction) = (query.Status ?? "enabled", query.Order ?? "updated_at", query.Dir ?? "desc");
        var fault = paging.Fault
            ?? (status is "enabled" or "disabled" or "deleted" or "all" ? null : "status must be enabled, disabled, deleted or all.")
            ?? (Orders.Contains(order) ? null : $"order must be one of {string.Join(", ", Orders)}.")
            ?? (direction is "asc" or "desc" ? null : "dir must be asc or desc.")
            ?? DomainFilter.FaultOfMetadata(query.Metadata);
        var (some, all) = TagQuery.Parse(query.Tags);
        return fault is not null ? (null, fault) : (new UserFilter(paging.From, paging.Count, status, order, direction)
        {
            Id = query.Id,
            Username = query.Username,
            Email = query.Email,
            FirstName = query.FirstName,
            LastName = query.LastName,
            Metadata = query.Metadata,
            Tags = some,
            AllTags = all,
        }, null);
    }
}
