using System.Text.Json.Serialization;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Cube.Identity.Domains;

using EmptyResult = Results<NoContent, JsonHttpResult<ManagementError>>;

/// <summary>Endpoints for the members of the roles of a domain. A member has exactly one role.</summary>
internal static class MemberApi
{
    public static void MapMembers(this IEndpointRouteBuilder domains)
    {
        var roles = domains.MapGroup("/{id:guid}/roles").WithTags("Members");
        roles.MapGet("/members", ListAll).RequireAction("view_role_users");
        roles.MapDelete("/", RemoveFromDomain).RequireAction("remove_role_users");
        roles.MapGet("/{roleId}/members", List).RequireAction("view_role_users", ofRole: "view_user");
        roles.MapPost("/{roleId}/members", Add).RequireAction("add_role_users", ofRole: "add_user");
        roles.MapPost("/{roleId}/members/delete", Remove).RequireAction("remove_role_users", ofRole: "remove_user");
        roles.MapPost("/{roleId}/members/delete-all", RemoveAll).RequireAction("remove_role_users", ofRole: "remove_user");
    }

    internal sealed record MembersRequest(Guid[]? Members);

    internal sealed record MemberIds([property: JsonPropertyName("members")] IEnumerable<Guid> Ids);

    internal sealed record MemberPage(long Total, int Offset, int Limit, IEnumerable<Guid> Members);

    internal sealed record RoleOfMember(string RoleId, string RoleName, string[] Actions);

    internal sealed record MemberView(Guid MemberId, RoleOfMember[] Roles);

    internal sealed record DomainMemberPage(long Total, int Offset, int Limit, IEnumerable<MemberView> Members);

    private static async Task<Results<Ok<DomainMemberPage>, JsonHttpResult<ManagementError>>> ListAll(
        Guid id, [AsParameters] Paging paging, MemberStore members, CancellationToken ct)
    {
        if (paging.Error is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (total, page) = await members.OfDomainAsync(id, paging, ct);
        return TypedResults.Ok(new DomainMemberPage(
            total, paging.From, paging.Count, page.Select(static row => new MemberView(row.UserId, [new RoleOfMember(row.RoleId, row.RoleName, row.Actions)]))));
    }

    internal static async Task<Results<Ok<ReducedUserPage>, JsonHttpResult<ManagementError>>> ListUsers(
        Guid id, [AsParameters] Paging paging, Caller caller, MemberStore members, CancellationToken ct)
    {
        if (paging.Error is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (total, page) = await members.UsersAsync(id, paging, ct);
        return TypedResults.Ok(new ReducedUserPage(total, paging.From, paging.Count, page.Select(user => user.ToReducedView(caller))));
    }

    private static async Task<Results<Ok<MemberPage>, JsonHttpResult<ManagementError>>> List(
        Guid id, string roleId, [AsParameters] Paging paging, RoleStore roles, MemberStore members, CancellationToken ct)
    {
        if (paging.Error is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (await roles.FindAsync(id, roleId, ct) is null)
        {
            return RoleApi.NoSuchRole;
        }

        var (total, page) = await members.OfRoleAsync(roleId, paging, ct);
        return TypedResults.Ok(new MemberPage(total, paging.From, paging.Count, page));
    }

    private static async Task<Results<Ok<MemberIds>, JsonHttpResult<ManagementError>>> Add(
        Guid id, string roleId, MembersRequest request, Caller caller, MemberStore members, CancellationToken ct)
    {
        if (Validate(request) is { } error)
        {
            return error;
        }

        var users = request.Members!.Distinct().ToArray();
        return await members.AddAsync(id, roleId, users, caller, ct) is var change && change == RoleChange.Done
            ? TypedResults.Ok(new MemberIds(users))
            : RoleApi.ToResult(change);
    }

    private static async Task<EmptyResult> Remove(Guid id, string roleId, MembersRequest request, Caller caller, MemberStore members, CancellationToken ct) =>
        Validate(request) is { } error ? error : Done(await members.RemoveAsync(id, roleId, request.Members, caller, ct));

    private static async Task<EmptyResult> RemoveAll(Guid id, string roleId, Caller caller, MemberStore members, CancellationToken ct) =>
        Done(await members.RemoveAsync(id, roleId, null, caller, ct));

    private static async Task<EmptyResult> RemoveFromDomain(Guid id, [FromBody] MembersRequest request, Caller caller, MemberStore members, CancellationToken ct) =>
        Validate(request) is { } error ? error : Done(await members.RemoveFromDomainAsync(id, request.Members!, caller, ct));

    private static EmptyResult Done(RoleChange change) => change == RoleChange.Done ? TypedResults.NoContent() : RoleApi.ToResult(change);

    private static JsonHttpResult<ManagementError>? Validate(MembersRequest request) =>
        request.Members is { Length: >= 1 and <= Paging.Max } ? null : ApiResults.Invalid($"members must have 1 to {Paging.Max} user ids.");
}
