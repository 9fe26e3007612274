using System.Text.Json;
using System.Text.RegularExpressions;
using Cube.Authorization;
using Cube.Identity.Authentication;
using Cube.Identity.Relations;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace Cube.Identity.Domains;

using Answer = Results<Ok<DomainView>, JsonHttpResult<ManagementError>>;
using StatusAnswer = Results<Ok, JsonHttpResult<ManagementError>>;

internal static partial class DomainApi
{
    private const int MaxName = 1024;

    public static IEndpointRouteBuilder MapDomains(this IEndpointRouteBuilder endpoints)
    {
        var domains = endpoints.MapGroup("/domains").InForceWhenAnswered().WithTags("Domains");
        domains.MapPost("/", Create);
        domains.MapGet("/", List);
        domains.MapGet("/roles/available-actions", AvailableActions);
        domains.MapGet("/{id:guid}", Get).RequireAction("read");
        domains.MapPatch("/{id:guid}", Update).RequireAction("update");
        domains.MapDelete("/{id:guid}", Delete).RequireAction("delete");
        domains.MapPost("/{id:guid}/enable", Enable).RequireAction("enable");
        domains.MapPost("/{id:guid}/disable", Disable).RequireAction("disable");
        domains.MapPost("/{id:guid}/freeze", Freeze);
        domains.MapPut("/{id:guid}/administrator", Appoint);
        domains.MapGet("/{id:guid}/standing", Standing).WithMetadata(TakesPersonalTokens.Instance);
        domains.MapGet("/{id:guid}/users", MemberApi.ListUsers).RequireAction("view_role_users");
        domains.MapRoles();
        domains.MapMembers();
        return endpoints;
    }

    internal sealed record CreateRequest(string? Name, string? Route, string[]? Tags, JsonElement? Metadata, JsonElement? Id);

    internal sealed record UpdateRequest(string? Name, string[]? Tags, JsonElement? Metadata, JsonElement? Route);

    internal sealed record AppointRequest(Guid? UserId);

    internal sealed record DomainPage(long Total, int Offset, int Limit, IEnumerable<DomainView> Domains);

    internal sealed record ActionList(IEnumerable<string> AvailableActions);

    /// <param name="UserId">Who asks.</param>
    /// <param name="Status">Whether the domain is open.</param>
    internal sealed record StandingView(Guid UserId, string Status);

    private static async Task<Results<Created<DomainView>, JsonHttpResult<ManagementError>>> Create(
        CreateRequest request, Caller caller, DomainStore domains, IOptions<IdentityOptions> options, CancellationToken ct)
    {
        var fault = FaultOfName(request.Name)
            ?? (request.Route is { } route && (Route().IsMatch(route) || Guid.TryParseExact(route, "D", out _))
                ? null
                : "route must begin with a letter and have up to 36 letters, digits, '_' or '-', or be a UUID.")
            // A chosen id would tell which ids other tenants have.
            ?? (request.Id is null ? null : "id is given by Cube.")
            ?? Requests.FaultOf(request.Tags)
            ?? Requests.FaultOf(request.Metadata, "metadata");
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        int? limit = caller.IsAdministrator ? null : options.Value.MaxDomainsPerUser;
        var (change, made) = await domains.AddAsync(
            new NewDomain(request.Name!, request.Route!, request.Tags ?? [], Requests.JsonOf(request.Metadata)), caller.UserId, limit, ct);
        return made is not null ? TypedResults.Created($"/domains/{made.Id}", made.ToView())
            : change == DomainChange.TooMany ? Requests.Refused("too_many_domains", $"A user creates at most {limit} domains; a deleted one does not count.")
            : Requests.Conflict("The route is not available.");
    }

    /// <summary>A caller's own domains; all of them for an administrator of the platform.</summary>
    private static async Task<Results<Ok<DomainPage>, JsonHttpResult<ManagementError>>> List(
        [AsParameters] DomainQuery query, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var (filter, fault) = DomainFilter.Parse(query);
        if (filter is null)
        {
            return Requests.Invalid(fault!);
        }

        var (total, found) = await domains.ListAsync(filter, caller.UserId, caller.IsAdministrator, ct);
        return TypedResults.Ok(new DomainPage(total, filter.Offset, filter.Limit, found.Select(static domain => domain.ToView())));
    }

    private static Ok<ActionList> AvailableActions(Caller caller) => TypedResults.Ok(new ActionList(CubeSchema.Actions));

    private static async Task<Answer> Get(Guid id, bool? roles, Caller caller, DomainStore domains, RoleStore roleStore, CancellationToken ct) =>
        await domains.FindAsync(id, caller.UserId, ct) is { } domain
            ? TypedResults.Ok(domain.ToView(roles is true ? (await roleStore.ListAsync(id, ct)).Select(static role => role.ToView()) : null))
            : Requests.Forbidden;

    private static async Task<Answer> Update(Guid id, UpdateRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        var fault = (request.Name is null ? null : FaultOfName(request.Name))
            ?? (request.Route is null ? null : "route cannot be changed.")
            ?? Requests.FaultOf(request.Tags)
            ?? Requests.FaultOf(request.Metadata, "metadata");
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        return await domains.UpdateAsync(id, request.Name, request.Tags, Requests.GivenJson(request.Metadata), caller, ct) is { } updated
            ? TypedResults.Ok(updated.ToView())
            : Requests.Forbidden;
    }

    private static async Task<NoContent> Delete(Guid id, Caller caller, DomainStore domains, CancellationToken ct)
    {
        await domains.DeleteAsync(id, caller, ct);
        return TypedResults.NoContent();
    }

    private static Task<StatusAnswer> Enable(Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        ChangeAsync(id, DomainStatus.Enabled, caller, domains, ct);

    private static Task<StatusAnswer> Disable(Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        ChangeAsync(id, DomainStatus.Disabled, caller, domains, ct);

    /// <summary>Closes a domain to its own administrators too. Only <c>enable</c> by an administrator of the platform opens it again.</summary>
    private static async Task<StatusAnswer> Freeze(Guid id, Caller caller, DomainStore domains, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return Requests.Forbidden;
        }

        return await domains.StandAsync(id, null, ct) is null
            ? Requests.NotFound("There is no such domain.")
            : await ChangeAsync(id, DomainStatus.Freezed, caller, domains, ct);
    }

    /// <summary>
    /// Recovers a domain whose administrators are all disabled or deleted: an administrator of the platform names the user who administers it
    /// from now on. While it has an enabled administrator, members are the business of the domain.
    /// </summary>
    private static async Task<StatusAnswer> Appoint(Guid id, AppointRequest request, Caller caller, DomainStore domains, CancellationToken ct)
    {
        if (!caller.IsAdministrator)
        {
            return Requests.Forbidden;
        }

        return request.UserId is not { } user ? Requests.Invalid("user_id is needed.") : await domains.AppointAsync(id, user, caller, ct) switch
        {
            DomainChange.Done => TypedResults.Ok(),
            DomainChange.UnknownUser => Requests.NotFound("There is no such enabled user."),
            DomainChange.HasAdministrator => Requests.Refused("has_administrator", "The domain has an enabled administrator."),
            _ => Requests.NotFound("There is no such domain."),
        };
    }

    private static async Task<StatusAnswer> ChangeAsync(Guid id, string status, Caller caller, DomainStore domains, CancellationToken ct) =>
        await domains.ChangeStatusAsync(id, status, caller, ct) ? TypedResults.Ok() : Requests.Refused("status_already_assigned", $"The domain is {status} already.");

    /// <summary>Whether the caller, with whatever kind of token, belongs to a domain, and whether that is open: what proxies ask.</summary>
    private static async Task<Results<Ok<StandingView>, JsonHttpResult<ManagementError>>> Standing(
        Guid id, Caller caller, DomainStore domains, CancellationToken ct) =>
        await domains.FindAsync(id, caller.UserId, ct) is { MemberId: not null } domain
            ? TypedResults.Ok(new StandingView(caller.UserId, domain.Status))
            : Requests.Forbidden;

    private static string? FaultOfName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"name must have 1 to {MaxName} characters." : null;

    [GeneratedRegex(@"^[a-zA-Z][a-zA-Z0-9_-]{0,35}\z")]
    private static partial Regex Route();
}
