using Cube.Identity.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Domains;

/// <summary>Roles of a domain and who holds them. Only the domain's own administrators change that, the platform's do not.</summary>
internal static class RoleApi
{
    private const int MaxMembers = 100;

    public static void MapRoles(this IEndpointRouteBuilder domains)
    {
        var roles = domains.MapGroup("/{id:guid}/roles");
        roles.MapGet("/", List);
        roles.MapGet("/{roleId}/members", ListMembers);
        roles.MapPost("/{roleId}/members", AddMembers);
        roles.MapPost("/{roleId}/members/delete", RemoveMembers);
    }

    internal sealed record MembersRequest(Guid[]? Members);

    internal sealed record Members(IEnumerable<Guid> Ids)
    {
        [System.Text.Json.Serialization.JsonPropertyName("members")]
        public IEnumerable<Guid> Ids { get; } = Ids;
    }

    internal sealed record RolePage(int Total, int Offset, int Limit, IEnumerable<Role> Roles);

    internal sealed record MemberPage(int Total, int Offset, int Limit, IEnumerable<Guid> Members);

    private static async Task<Results<Ok<RolePage>, JsonHttpResult<ManagementError>>> List(
        Guid id, Caller caller, DomainStore domains, RoleStore roles, CancellationToken ct)
    {
        if (await domains.FindAsync(id, caller.UserId, ct) is not { MemberId: not null })
        {
            return Requests.Forbidden;
        }

        var list = await roles.ListAsync(id, ct);
        return TypedResults.Ok(new RolePage(list.Count, 0, list.Count, list));
    }

    private static async Task<Results<Ok<MemberPage>, JsonHttpResult<ManagementError>>> ListMembers(
        Guid id, string roleId, int? offset, int? limit, Caller caller, DomainStore domains, RoleStore roles, CancellationToken ct)
    {
        if (await domains.FindAsync(id, caller.UserId, ct) is not { IsAdministrator: true })
        {
            return Requests.Forbidden;
        }

        var (from, count) = (offset ?? 0, limit ?? 10);
        if (from < 0 || count is < 1 or > MaxMembers)
        {
            return Requests.Invalid($"offset must not be negative and limit must be 1 to {MaxMembers}.");
        }

        return await roles.MembersAsync(id, roleId, ct) is { } members
            ? TypedResults.Ok(new MemberPage(members.Count, from, count, members.Skip(from).Take(count)))
            : NoSuchRole;
    }

    private static async Task<Results<Ok<Members>, JsonHttpResult<ManagementError>>> AddMembers(
        Guid id, string roleId, MembersRequest request, Caller caller, DomainStore domains, RoleStore roles, CancellationToken ct)
    {
        if (await domains.FindAsync(id, caller.UserId, ct) is not { IsAdministrator: true })
        {
            return Requests.Forbidden;
        }

        if (FaultOf(request) is { } fault)
        {
            return fault;
        }

        var users = request.Members!.Distinct().ToArray();
        return await roles.AddAsync(id, roleId, users, ct) is var change && change == MembershipChange.Done
            ? TypedResults.Ok(new Members(users))
            : Refusal(change);
    }

    private static async Task<Results<NoContent, JsonHttpResult<ManagementError>>> RemoveMembers(
        Guid id, string roleId, MembersRequest request, Caller caller, DomainStore domains, RoleStore roles, CancellationToken ct)
    {
        if (await domains.FindAsync(id, caller.UserId, ct) is not { IsAdministrator: true })
        {
            return Requests.Forbidden;
        }

        if (FaultOf(request) is { } fault)
        {
            return fault;
        }

        return await roles.RemoveAsync(id, roleId, [.. request.Members!.Distinct()], ct) is var change && change == MembershipChange.Done
            ? TypedResults.NoContent()
            : Refusal(change);
    }

    private static JsonHttpResult<ManagementError>? FaultOf(MembersRequest request) =>
        request.Members is { Length: >= 1 and <= MaxMembers } ? null : Requests.Invalid($"members must be 1 to {MaxMembers} user ids.");

    private static JsonHttpResult<ManagementError> NoSuchRole { get; } =
        Requests.Fail(StatusCodes.Status404NotFound, "not_found", "The domain has no such role.");

    private static JsonHttpResult<ManagementError> Refusal(MembershipChange change) => change switch
    {
        MembershipChange.UnknownRole => NoSuchRole,
        MembershipChange.UnknownUser => Requests.Fail(StatusCodes.Status404NotFound, "not_found", "One of the members is not a user."),
        MembershipChange.HasAnotherRole => Requests.Conflict("One of the members holds another role of this domain."),
        MembershipChange.LastAdministrator => Requests.Fail(
            StatusCodes.Status422UnprocessableEntity, "last_administrator", "A domain keeps at least one administrator."),
        _ => throw new InvalidOperationException($"{change} is no refusal."),
    };
}
