using Cube.Authorization;
using Cube.Authorization.Relationships;
using Cube.Identity.Callers;
using Cube.Identity.Domains;
using Cube.ServiceDefaults.Errors;

namespace Cube.Identity.Authentication;

/// <summary>
/// Checks the <see cref="DomainAction"/> of an endpoint with the authorization engine before the body is read. An unknown domain and a
/// domain of another tenant are both answered with 403; administrators of the platform receive 404 for an unknown domain.
/// </summary>
internal sealed class DomainActionMiddleware(RequestDelegate next, IAuthorizationEngine engine, DomainStore domains)
{
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<DomainAction>() is not { } action || context.Features.Get<Caller>() is not { } caller)
        {
            await next(context);
            return;
        }

        var roleId = action.OfRole is null ? null : context.GetRouteValue("roleId") as string;
        if (!Guid.TryParse(context.GetRouteValue("id") as string, out var id) || await domains.FindStatusAsync(id, roleId, context.RequestAborted) is not { } found)
        {
            await (caller.IsAdministrator
                ? new ManagementError("not_found", "The domain does not exist.").WriteAsync(context, StatusCodes.Status404NotFound)
                : RefuseAsync(context));
            return;
        }

        // The endpoint answers 404 for an unknown role.
        var checks = Checks(caller, id, found.Status, action, found.HasRole ? roleId : null);
        if (!(await engine.CheckAsync(checks, context.RequestAborted)).All(static has => has)
            || (found.Status == DomainStatus.Freezed && !caller.IsAdministrator))
        {
            await RefuseAsync(context);
            return;
        }

        await next(context);
    }

    private static List<PermissionCheck> Checks(Caller caller, Guid id, string status, DomainAction action, string? roleId)
    {
        var (user, domain) = (CubeSchema.User(caller.UserId), CubeSchema.Domain(id));
        List<PermissionCheck> checks = [new(domain, CubeSchema.Permission(action.Name), user)];
        if (caller.PatId is { } pat)
        {
            checks.Add(new(CubeSchema.Token(pat), CubeSchema.Scope(action.Name), new SubjectRef(domain)));
        }

        // A disabled domain is available only to callers who may enable it.
        if (status == DomainStatus.Disabled)
        {
            checks.Add(new(domain, CubeSchema.Permission("enable"), user));
        }

        if (roleId is not null)
        {
            checks.Add(new(CubeSchema.Role(roleId), action.OfRole!, user));
        }

        return checks;
    }

    private static Task RefuseAsync(HttpContext context) =>
        ManagementError.Of(StatusCodes.Status403Forbidden).WriteAsync(context, StatusCodes.Status403Forbidden);
}
