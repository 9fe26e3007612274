using System.Text.Json;
using Cube.Identity.Api;
using Cube.Identity.Callers;
using Cube.Identity.Domains;
using Cube.Identity.Mail;
using Cube.Identity.Tokens;
using Cube.Identity.Users;
using Cube.ServiceDefaults.Errors;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Cube.Identity.Accounts;

using ViewResult = Results<Ok<UserView>, JsonHttpResult<ManagementError>>;

/// <summary>Changes of an account by its owner or by an administrator of the platform. For other callers the answer does not depend on whether the account exists.</summary>
internal static class UserChangeApi
{
    public static void MapUserChanges(this IEndpointRouteBuilder users)
    {
        users.MapPatch("/{userId:guid}", Update);
        users.MapPatch("/{userId:guid}/username", SetUsername);
        users.MapPatch("/{userId:guid}/picture", SetPicture);
        users.MapPatch("/{userId:guid}/tags", SetTags);
        users.MapPatch("/{userId:guid}/email", SetEmail).LimitPasswordConcurrency();
        users.MapPatch("/{userId:guid}/role", SetRole);
        users.MapPatch("/secret", SetPassword).LimitPasswordConcurrency();
    }

    internal sealed record UpdateRequest(string? FirstName, string? LastName, JsonElement? Metadata, JsonElement? PrivateMetadata);

    internal sealed record UsernameRequest(string? Username);

    internal sealed record PictureRequest(string? ProfilePicture);

    internal sealed record TagsRequest(string[]? Tags);

    internal sealed record EmailRequest(string? Email, string? Password);

    internal sealed record RoleRequest(string? Role);

    internal sealed record PasswordRequest(string? OldSecret, string? NewSecret);

    private static Task<ViewResult> Update(Guid userId, UpdateRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId,
        (request.FirstName is null ? null : UserRules.ValidateName(request.FirstName, "first_name"))
            ?? (request.LastName is null ? null : UserRules.ValidateName(request.LastName, "last_name"))
            ?? InputRules.Validate(request.Metadata, "metadata")
            ?? InputRules.Validate(request.PrivateMetadata, "private_metadata"),
        new UserUpdate
        {
            FirstName = request.FirstName,
            LastName = request.LastName,
            Metadata = InputRules.GivenJson(request.Metadata),
            PrivateMetadata = InputRules.GivenJson(request.PrivateMetadata),
        },
        caller, users, ct);

    private static Task<ViewResult> SetUsername(Guid userId, UsernameRequest request, Caller caller, UserStore users, CancellationToken ct) =>
        UpdateAsync(userId, UserRules.ValidateUsername(request.Username, "username"), new UserUpdate { Username = request.Username }, caller, users, ct);

    private static Task<ViewResult> SetPicture(Guid userId, PictureRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, UserRules.ValidatePicture(request.ProfilePicture ?? ""), new UserUpdate { ProfilePicture = request.ProfilePicture }, caller, users, ct);

    private static Task<ViewResult> SetTags(Guid userId, TagsRequest request, Caller caller, UserStore users, CancellationToken ct) => UpdateAsync(
        userId, request.Tags is null ? "tags is required." : InputRules.Validate(request.Tags), new UserUpdate { Tags = request.Tags }, caller, users, ct);

    /// <summary>
    /// An administrator sets another user's address at once. A caller who changes the own address must send the password, so that a stolen session
    /// cannot take over the account. A user's new address takes effect when it is verified. The old address always receives a notice.
    /// </summary>
    private static async Task<Results<Ok<UserView>, Accepted<UserView>, JsonHttpResult<ManagementError>>> SetEmail(
        Guid userId, EmailRequest request, HttpContext context, Caller caller, UserStore users, PasswordCheck check, MailQueue mails, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != userId)
        {
            return ApiResults.Forbidden;
        }

        if (UserRules.ValidateEmail(request.Email) is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (!caller.IsAdministrator && !mails.IsConfigured)
        {
            return MailApi.NotConfigured;
        }

        if (await users.FindAsync(userId, ct) is not { } user)
        {
            return UserApi.NoSuchUser;
        }

        if (caller.UserId == userId && await check.CheckAsync(user, request.Password, "password", context, ct) is { } refusal)
        {
            return refusal;
        }

        if (!caller.IsAdministrator)
        {
            mails.Enqueue(new MailJob.AddressChange(userId, request.Email!, user.PasswordHash));
            mails.Enqueue(new MailJob.AddressNotice(user.Email, user.Username, IsChanged: false));
            return TypedResults.Accepted((string?)null, user.ToView());
        }

        var (change, changed) = await users.UpdateAsync(userId, new UserUpdate { Email = request.Email }, caller, ct);
        if (changed is null)
        {
            return UserApi.ToResult(change);
        }

        mails.Enqueue(new MailJob.AddressNotice(user.Email, user.Username, IsChanged: true));
        return TypedResults.Ok(changed.ToView());
    }

    private static Task<ViewResult> SetRole(Guid userId, RoleRequest request, Caller caller, UserLifecycle lifecycle, UserStore users, CancellationToken ct) =>
        UserApi.ChangeAsync(userId, caller, users, () => lifecycle.SetRoleAsync(userId, request.Role!, caller, ct), ct, UserRules.ValidateRole(request.Role));

    /// <summary>A wrong old password counts as a failed login.</summary>
    private static async Task<ViewResult> SetPassword(
        PasswordRequest request, HttpContext context, Caller caller, UserStore users, UserPasswordHasher passwords, PasswordCheck check, CancellationToken ct)
    {
        if (UserRules.ValidatePassword(request.NewSecret, "new_secret") is { } error)
        {
            return ApiResults.Invalid(error);
        }

        if (await users.FindAsync(caller.UserId, ct) is not { } user)
        {
            return UserApi.NoSuchUser;
        }

        if (await check.CheckAsync(user, request.OldSecret, "old_secret", context, ct) is { } refusal)
        {
            return refusal;
        }

        await users.SetPasswordAsync(user.Id, passwords.Hash(request.NewSecret!), caller, ct);
        return TypedResults.Ok(user.ToView());
    }

    private static async Task<ViewResult> UpdateAsync(Guid id, string? error, UserUpdate update, Caller caller, UserStore users, CancellationToken ct)
    {
        if (!caller.IsAdministrator && caller.UserId != id)
        {
            return ApiResults.Forbidden;
        }

        if (error is not null)
        {
            return ApiResults.Invalid(error);
        }

        var (change, user) = await users.UpdateAsync(id, update, caller, ct);
        return user is null ? UserApi.ToResult(change) : TypedResults.Ok(user.ToView());
    }
}
