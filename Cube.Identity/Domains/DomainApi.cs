using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Authorization;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Configuration;
using Cube.Identity.Synchronization;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Domains;

using ViewResult = Results<Ok<DomainView>, JsonHttpResult<ManagementError>>;
using StatusResult = Results<Ok, JsonHttpResult<ManagementError>>;

internal static partial class DomainApi
{
    private const int MaxName = 1024;

    public static IEndpointRouteBuilder MapDomains(this IEndpointRouteBuilder endpoints)
    {
        var domains = endpoints.MapGroup("/domains").RequireSynchronized().WithTags("Domains");
        domains.MapPost("/", Create);
        domains.MapGet("/", List);
        domains.MapGet("/roles/available-actions", AvailableActions);
        domains.MapGet("/{id:guid}", Get).RequireAction("read");
        domains.MapPatch("/{id:guid}", Update).RequireAction("update");
        domains.MapDelete("/{id:guid}", Delete).RequireAction("delete");
        domains.MapPost("/{id:guid}/enable", Enable).RequireAction("enable");
        domains.MapPost("/{id:guid}/disable", Disable).RequireAction("disable");
        domains.MapPost("/{id:guid}/freeze", Freeze);
        domains.MapPut("/{id:guid}/administrator", SetAdministrator);
        domains.MapGet("/{id:guid}/membership", GetMembership).AllowPersonalAccessTokens();
        domains.MapGet("/{id:guid}/users", MemberApi.ListUsers).RequireAction("view_role_users");
        domains.MapRoles();
        domains.MapMembers();
        return endpoints;
    }

    internal sealed record CreateRequest(string? Name, string? Route, string[]? Tags, JsonElement? Metadata, JsonElement? Id);

    internal sealed record UpdateRequest(string? Name, string[]? Tags, JsonElement? Metadata, JsonElement? Route);

    internal sealed record SetAdministratorRequest(Guid? UserId);

    internal sealed record DomainPage(long Total, int Offset, int Limit, IEnumerable<DomainView> Domains);

    internal sealed record ActionList(IEnumerable<string> AvailableActions);

    /// <param name="UserId">The caller.</param>
    /// <param name="Status">The status of the domain.</param>
    internal sealed record MembershipView(Guid UserId, string Status);

    private static async Task<Results<Created<DomainView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, Caller caller, DomainStore domains, IOptions<IdentityOptions> options, CancellationToken ct)
    {
        var error = ValidateName(request.Name)
            ?? (request.Route is { } route && (Route().IsMatch(route) || Guid.TryParseExact(route, "D", out _))
                ? null
                : "route must begin with a letter and have up to 36 letters, digits, '_' or '-', or be a UUID.")
            // A chosen id would reveal whether another tenant's domain has it.
            ?? (request.Id is null ? null : "id must not be set: Cube assigns it.")
            ?? InputRules.Validate(request.Tags)
            ?? InputRules.Validate(request.Metadata, "metadata");
        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        int? limit = caller.IsAdministrator ? null : options.Value.MaxDomainsPerUser;
        var (change, made) = await domains.AddAsync(
            new NewDomain(request.Name!, request.Route!, request.Tags ?? [], InputRules.JsonOf(request.Metadata)), caller.UserId, limit, ct);
        return made is not null ? TypedResults.Created($"/domains/{made.Id}", made.ToView())
            : change == DomainChange.TooMany ? ApiResults.Unprocessable("too_many_domains", $"A user can create at most {limit} domains. Deleted domains do not count.")
            : ApiResults.Conflict("The route is not available.");
    }

    /// <summary>Lists the caller's domains; for an administrator of the platform, all domains.</summary>
    private static async Task<Results<Ok<DomainPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] DomainQuery query, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var (filter, error) = DomainFilter.Parse(query);
        if (filter is null)
        {
            return ApiResults.Invalid(error!);
        }

        var (total, found) = await domains.ListAsync(filter, caller.UserId, caller.IsAdministrator, ct);
        return TypedResults.Ok(new DomainPage(total, filter.Offset, filter.Limit, found.Select(static domain => domain.ToView())));
    }

    private static Ok<ActionList> AvailableActions(Caller caller) => TypedResults.Ok(new ActionList(CubeSchema.Actions));

    private static async Task<ViewResult> Get(Guid id, bool? roles, Caller caller, DomainStore domains, RoleStore roleStore, CancellationToken ct) =>
        await domains.FindAsync(id, caller.UserId, ct) is { } domain
            ? TypedResults.Ok(domain.ToView(roles is true ? (await roleStore.ListAsync(id, ct)).Select(static role => role.ToView()) : null))
            : ApiResults.Forbidden;

    private static async Task<ViewResult> Update(Guid id, UpdateRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var error = (request.Name is null ? null : ValidateName(request.Name))
            ?? (request.Route is null ? null : "route cannot be changed.")
            ?? InputRules.Validate(request.Tags)
            ?? InputRules.Validate(request.Metadata, "metadata");
        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        return await domains.UpdateAsync(id, request.Name, request.Tags, InputRules.GivenJson(request.Metadata), caller, ct) is { } updated
            ? TypedResults.Ok(updated.ToView())
            : ApiResults.Forbidden;
    }

    private static async Task<NoContent> Delete(Guid id, Caller caller, DomainStore domains, CancellationToken ct)
    {
        await domains.DeleteAsync(id, caller, ct);
        return TypedResults.NoContent();
    }

    private static Task<StatusResult> Enable(Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        ChangeAsync(id, DomainStatus.Enabled, caller, domains, ct);

    private static Task<StatusResult> Disable(Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        ChangeAsync(id, DomainStatus.Disabled, caller, domains, ct);

    /// <summary>Closes a domain to its own administrators too. Only an administrator of the platform can enable it again.</summary>
    private static async Task<StatusResult> Freeze(Guid id, Caller caller, DomainStore domains, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return ApiResults.Forbidden;
        }

        return await domains.FindStatusAsync(id, null, ct) is null
            ? ApiResults.NotFound("The domain does not exist.")
            : await ChangeAsync(id, DomainStatus.Freezed, caller, domains, ct);
    }

    /// <summary>
    /// Recovers a domain whose administrators are all disabled or deleted: an administrator of the platform makes a user its administrator.
    /// While the domain has an enabled administrator, only the domain manages its members.
    /// </summary>
    private static async Task<StatusResult> SetAdministrator(Guid id, SetAdministratorRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return ApiResults.Forbidden;
        }

        return request.UserId is not { } user ? ApiResults.Invalid("user_id is required.") : await domains.SetAdministratorAsync(id, user, caller, ct) switch
        {
            DomainChange.Done => TypedResults.Ok(),
            DomainChange.UnknownUser => ApiResults.NotFound("The user does not exist or is not enabled."),
            DomainChange.HasAdministrator => ApiResults.Unprocessable("has_administrator", "The domain has an enabled administrator."),
            _ => ApiResults.NotFound("The domain does not exist."),
        };
    }

    private static async Task<StatusResult> ChangeAsync(Guid id, string status, Caller caller, DomainStore domains, CancellationToken ct) =>
        await domains.ChangeStatusAsync(id, status, caller, ct) ? TypedResults.Ok() : ApiResults.Unprocessable("status_already_assigned", $"The domain already has the status {status}.");

    /// <summary>Whether the caller is a member of the domain, and the status of the domain. Proxies call this with the caller's token.</summary>
    private static async Task<Results<Ok<MembershipView>, JsonHttpResult<ManagementError>>> GetMembership(
        Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        await domains.FindAsync(id, caller.UserId, ct) is { MemberId: not null } domain
            ? TypedResults.Ok(new MembershipView(caller.UserId, domain.Status))
            : ApiResults.Forbidden;

    private static string? ValidateName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"name must have 1 to {MaxName} characters." : null;

    [GeneratedRegex(@"^[a-zA-Z][a-zA-Z0-9_-]{0,35}\z")]
    private static partial Regex Route();
}
