using Cube.Authorization;
using Cube.Identity.Authentication;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Domains;

using Answer = Results<Ok<RoleView>, JsonHttpResult<ManagementError>>;
using Nothing = Results<NoContent, JsonHttpResult<ManagementError>>;

/// <summary>Roles of a domain: which there are, what they allow, and which models.</summary>
internal static class RoleApi
{
    private const int MaxName = 128;
    private const int MaxRoles = 200;

    public static void MapRoles(this IEndpointRouteBuilder domains)
    {
        var roles = domains.MapGroup("/{id:guid}/roles").WithTags("Roles");
        roles.MapPost("/", Create).RequireAction("manage_role");
        roles.MapGet("/", List).RequireAction("view_role_users");
        roles.MapGet("/{roleId}", Get).RequireAction("view_role_users", ofRole: "read");
        roles.MapPut("/{roleId}", Rename).RequireAction("manage_role", ofRole: "update");
        roles.MapDelete("/{roleId}", Delete).RequireAction("manage_role", ofRole: "delete");
        roles.MapPost("/{roleId}/actions", AddActions).RequireAction("manage_role", ofRole: "update");
        roles.MapGet("/{roleId}/actions", ListActions).RequireAction("view_role_users", ofRole: "read");
        roles.MapPost("/{roleId}/actions/delete", RemoveActions).RequireAction("manage_role", ofRole: "update");
        roles.MapPost("/{roleId}/actions/delete-all", RemoveAllActions).RequireAction("manage_role", ofRole: "update");
        roles.MapGet("/{roleId}/models", ListModels).RequireAction("view_role_users", ofRole: "read");
        roles.MapPut("/{roleId}/models", SetModels).RequireAction("manage_role", ofRole: "update");
    }

    internal sealed record CreateRequest(string? RoleName, string[]? OptionalActions, string[]? OptionalModels, Guid[]? OptionalMembers);

    internal sealed record RenameRequest(string? Name);

    internal sealed record ActionsRequest(string[]? Actions);

    internal sealed record ActionsView(string[] Actions);

    internal sealed record ModelsRequest(string[]? Models);

    internal sealed record ModelsView(string[] Models);

    internal sealed record RolePage(int Total, int Offset, int Limit, IEnumerable<RoleView> Roles);

    private static async Task<Results<Created<RoleView>, JsonHttpResult<ManagementError>>> Create(
        Guid id, CreateRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        var (actions, models) = (request.OptionalActions ?? [], request.OptionalModels ?? [RoleModels.All]);
        var fault = FaultOfName(request.RoleName)
            ?? (actions.Length == 0 ? null : FaultOfActions(actions))
            ?? RoleModels.FaultOf(models)
            ?? (request.OptionalMembers is { Length: > Paging.Max } ? $"optional_members must not be more than {Paging.Max}." : null);
        if (fault is not null)
        {
            return Requests.Invalid(fault);
        }

        if ((await roles.ListAsync(id, ct)).Count >= MaxRoles)
        {
            return Requests.Refused("too_many_roles", $"A domain has at most {MaxRoles} roles.");
        }

        var (change, role) = await roles.AddAsync(id, request.RoleName!, actions, models, [.. (request.OptionalMembers ?? []).Distinct()], caller, ct);
        return role is null ? Refusal(change) : TypedResults.Created($"/domains/{id}/roles/{role.Id}", role.ToView());
    }

    private static async Task<Results<Ok<RolePage>, JsonHttpResult<ManagementError>>> List(
        Guid id, [AsParameters] Paging paging, RoleStore roles, CancellationToken ct)
    {
        if (paging.Fault is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var all = await roles.ListAsync(id, ct);
        return TypedResults.Ok(new RolePage(all.Count, paging.From, paging.Count, all.Skip(paging.From).Take(paging.Count).Select(static role => role.ToView())));
    }

    private static async Task<Answer> Get(Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(role.ToView()) : NoSuchRole;

    private static async Task<Answer> Rename(Guid id, string roleId, RenameRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (FaultOfName(request.Name) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (change, role) = await roles.RenameAsync(id, roleId, request.Name!, caller, ct);
        return role is null ? Refusal(change) : TypedResults.Ok(role.ToView());
    }

    private static async Task<Nothing> Delete(Guid id, string roleId, Caller caller, RoleStore roles, CancellationToken ct) =>
        Done((await roles.DeleteAsync(id, roleId, caller, ct)).Change);

    private static async Task<Results<Ok<ActionsView>, JsonHttpResult<ManagementError>>> ListActions(
        Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(new ActionsView(role.Actions)) : NoSuchRole;

    private static async Task<Results<Ok<ActionsView>, JsonHttpResult<ManagementError>>> AddActions(
        Guid id, string roleId, ActionsRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (FaultOfActions(request.Actions) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (change, role) = await roles.AddActionsAsync(id, roleId, request.Actions!, caller, ct);
        return role is null ? Refusal(change) : TypedResults.Ok(new ActionsView(role.Actions));
    }

    private static async Task<Nothing> RemoveActions(Guid id, string roleId, ActionsRequest request, Caller caller, RoleStore roles, CancellationToken ct) =>
        FaultOfActions(request.Actions) is { } fault
            ? Requests.Invalid(fault)
            : Done((await roles.RemoveActionsAsync(id, roleId, request.Actions, caller, ct)).Change);

    private static async Task<Nothing> RemoveAllActions(Guid id, string roleId, Caller caller, RoleStore roles, CancellationToken ct) =>
        Done((await roles.RemoveActionsAsync(id, roleId, null, caller, ct)).Change);

    private static async Task<Results<Ok<ModelsView>, JsonHttpResult<ManagementError>>> ListModels(
        Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(new ModelsView(role.Models)) : NoSuchRole;

    /// <summary>Narrows a role to named models, or opens all of them to it with <c>*</c>.</summary>
    private static async Task<Results<Ok<ModelsView>, JsonHttpResult<ManagementError>>> SetModels(
        Guid id, string roleId, ModelsRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (RoleModels.FaultOf(request.Models) is { } fault)
        {
            return Requests.Invalid(fault);
        }

        var (change, role) = await roles.SetModelsAsync(id, roleId, [.. request.Models!.Distinct()], caller, ct);
        return role is null ? Refusal(change) : TypedResults.Ok(new ModelsView(role.Models));
    }

    private static string? FaultOfName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"The name of a role must have 1 to {MaxName} characters." : null;

    private static string? FaultOfActions(string[]? actions) => actions switch
    {
        not { Length: > 0 } => "actions is needed.",
        _ when actions.FirstOrDefault(static action => action is null || !CubeSchema.KnownActions.Contains(action)) is { } unknown =>
            $"'{(unknown.Length > 64 ? "…" : unknown)}' is no action; /domains/roles/available-actions lists them.",
        _ when actions.Contains(null) => "actions must be texts.",
        _ => null,
    };

    internal static JsonHttpResult<ManagementError> NoSuchRole { get; } = Requests.NotFound("The domain has no such role.");

    private static Nothing Done(RoleChange change) => change == RoleChange.Done ? TypedResults.NoContent() : Refusal(change);

    internal static JsonHttpResult<ManagementError> Refusal(RoleChange change) => change switch
    {
        RoleChange.UnknownRole => NoSuchRole,
        RoleChange.UnknownUser => Requests.NotFound("One of the members is not a user."),
        RoleChange.NameTaken => Requests.Conflict("The domain has a role of that name."),
        RoleChange.HasAnotherRole => Requests.Conflict("One of the members holds another role of this domain."),
        RoleChange.MoreThanOwn => Requests.Fail(
            StatusCodes.Status403Forbidden, "more_than_own", "You can give, take and change only what your own role allows."),
        RoleChange.LastAdministrator => Requests.Refused("last_administrator", "A domain keeps at least one administrator."),
        _ => throw new InvalidOperationException($"{change} is no refusal."),
    };
}
