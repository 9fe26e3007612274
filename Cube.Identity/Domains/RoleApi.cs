using Cube.Authorization;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Domains;

using ViewResult = Results<Ok<RoleView>, JsonHttpResult<ManagementError>>;
using EmptyResult = Results<NoContent, JsonHttpResult<ManagementError>>;

/// <summary>Endpoints for the roles of a domain, their actions and their models.</summary>
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
        var error = ValidateName(request.RoleName)
            ?? (actions.Length == 0 ? null : ValidateActions(actions))
            ?? RoleModels.Validate(models)
            ?? (request.OptionalMembers is { Length: > Paging.Max } ? $"optional_members must have at most {Paging.Max} elements." : null);
        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        if ((await roles.ListAsync(id, ct)).Count >= MaxRoles)
        {
            return ApiResults.Unprocessable("too_many_roles", $"A domain can have at most {MaxRoles} roles.");
        }

        var (change, role) = await roles.AddAsync(id, request.RoleName!, actions, models, [.. (request.OptionalMembers ?? []).Distinct()], caller, ct);
        return role is null ? ToResult(change) : TypedResults.Created($"/domains/{id}/roles/{role.Id}", role.ToView());
    }

    private static async Task<Results<Ok<RolePage>, JsonHttpResult<ManagementError>>> List(
        Guid id, [AsParameters] Paging paging, RoleStore roles, CancellationToken ct)
    {
        if (paging.Error is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var all = await roles.ListAsync(id, ct);
        return TypedResults.Ok(new RolePage(all.Count, paging.From, paging.Count, all.Skip(paging.From).Take(paging.Count).Select(static role => role.ToView())));
    }

    private static async Task<ViewResult> Get(Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(role.ToView()) : NoSuchRole;

    private static async Task<ViewResult> Rename(Guid id, string roleId, RenameRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (ValidateName(request.Name) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (change, role) = await roles.RenameAsync(id, roleId, request.Name!, caller, ct);
        return role is null ? ToResult(change) : TypedResults.Ok(role.ToView());
    }

    private static async Task<EmptyResult> Delete(Guid id, string roleId, Caller caller, RoleStore roles, CancellationToken ct) =>
        Done((await roles.DeleteAsync(id, roleId, caller, ct)).Change);

    private static async Task<Results<Ok<ActionsView>, JsonHttpResult<ManagementError>>> ListActions(
        Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(new ActionsView(role.Actions)) : NoSuchRole;

    private static async Task<Results<Ok<ActionsView>, JsonHttpResult<ManagementError>>> AddActions(
        Guid id, string roleId, ActionsRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (ValidateActions(request.Actions) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (change, role) = await roles.AddActionsAsync(id, roleId, request.Actions!, caller, ct);
        return role is null ? ToResult(change) : TypedResults.Ok(new ActionsView(role.Actions));
    }

    private static async Task<EmptyResult> RemoveActions(Guid id, string roleId, ActionsRequest request, Caller caller, RoleStore roles, CancellationToken ct) =>
        ValidateActions(request.Actions) is { } error
            ? ApiResults.Invalid(error)
            : Done((await roles.RemoveActionsAsync(id, roleId, request.Actions, caller, ct)).Change);

    private static async Task<EmptyResult> RemoveAllActions(Guid id, string roleId, Caller caller, RoleStore roles, CancellationToken ct) =>
        Done((await roles.RemoveActionsAsync(id, roleId, null, caller, ct)).Change);

    private static async Task<Results<Ok<ModelsView>, JsonHttpResult<ManagementError>>> ListModels(
        Guid id, string roleId, RoleStore roles, CancellationToken ct) =>
        await roles.FindAsync(id, roleId, ct) is { } role ? TypedResults.Ok(new ModelsView(role.Models)) : NoSuchRole;

    /// <summary>Narrows a role to named models, or allows all models with <c>*</c>.</summary>
    private static async Task<Results<Ok<ModelsView>, JsonHttpResult<ManagementError>>> SetModels(
        Guid id, string roleId, ModelsRequest request, Caller caller, RoleStore roles, CancellationToken ct)
    {
        if (RoleModels.Validate(request.Models) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        var (change, role) = await roles.SetModelsAsync(id, roleId, [.. request.Models!.Distinct()], caller, ct);
        return role is null ? ToResult(change) : TypedResults.Ok(new ModelsView(role.Models));
    }

    private static string? ValidateName(string? name) =>
        string.IsNullOrWhiteSpace(name) || name.Length > MaxName ? $"The role name must have 1 to {MaxName} characters." : null;

    private static string? ValidateActions(string[]? actions) => actions switch
    {
        not { Length: > 0 } => "actions is required.",
        _ when actions.FirstOrDefault(static action => action is null || !CubeSchema.KnownActions.Contains(action)) is { } unknown =>
            $"'{(unknown.Length > 64 ? "…" : unknown)}' is not an action. GET /domains/roles/available-actions lists the actions.",
        _ when actions.Contains(null) => "actions must contain strings only.",
        _ => null,
    };

    internal static JsonHttpResult<ManagementError> NoSuchRole { get; } = ApiResults.NotFound("The domain does not have this role.");

    private static EmptyResult Done(RoleChange change) => change == RoleChange.Done ? TypedResults.NoContent() : ToResult(change);

    internal static JsonHttpResult<ManagementError> ToResult(RoleChange change) => change switch
    {
        RoleChange.UnknownRole => NoSuchRole,
        RoleChange.UnknownUser => ApiResults.NotFound("One of the members does not exist."),
        RoleChange.NameTaken => ApiResults.Conflict("The domain already has a role with this name."),
        RoleChange.HasAnotherRole => ApiResults.Conflict("One of the members already has another role in this domain."),
        RoleChange.ExceedsOwnRole => ApiResults.Fail(
            StatusCodes.Status403Forbidden, "more_than_own", "You can grant, revoke and change only what your own role allows."),
        RoleChange.LastAdministrator => ApiResults.Unprocessable("last_administrator", "A domain must keep at least one enabled administrator."),
        _ => throw new InvalidOperationException($"{change} is not a failure."),
    };
}
