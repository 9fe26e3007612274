using Cube.Identity.Api;

namespace Cube.Identity.Users;

/// <summary>The query parameters of a list of users.</summary>
internal sealed record UserQuery(
    int? Offset, int? Limit, string? Status, Guid? Id, string? Username, string? Email, string? FirstName, string? LastName, string? Tags, string? Metadata,
    string? Order, string? Dir);

/// <param name="Order">A column that <see cref="Parse"/> allows. It becomes SQL text.</param>
/// <param name="Direction"><c>asc</c> or <c>desc</c>. It becomes SQL text.</param>
internal sealed record UserFilter(int From, int Count, string Status, string Order, string Direction)
{
    private static readonly string[] _statuses = ["enabled", "disabled", "deleted", "all"];

    private static readonly string[] _orders = ["updated_at", "created_at", "first_name", "last_name", "username", "email"];

    public Guid? Id { get; init; }
    public string? Username { get; init; }
    public string? Email { get; init; }
    public string? FirstName { get; init; }
    public string? LastName { get; init; }
    public string? Metadata { get; init; }
    public string[]? Tags { get; init; }
    public string[]? AllTags { get; init; }

    /// <returns>The filter, or a message for the client.</returns>
    public static (UserFilter? Filter, string? Error) Parse(UserQuery query)
    {
        var list = ListQuery.From(query.Offset, query.Limit, query.Status, query.Order, query.Dir, query.Metadata);
        if (list.Validate(_statuses, _orders) is { } error)
        {
            return (null, error);
        }

        var (any, all) = TagQuery.Parse(query.Tags);
        return (new UserFilter(list.Paging.From, list.Paging.Count, list.Status, list.Order, list.Direction)
        {
            Id = query.Id,
            Username = query.Username,
            Email = query.Email,
            FirstName = query.FirstName,
            LastName = query.LastName,
            Metadata = query.Metadata,
            Tags = any,
            AllTags = all,
        }, null);
    }
}
